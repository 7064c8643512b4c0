"""Every interleaving: the real use cases as two and three actors, in every order of their calls to the ports.

`explore` tries every order in which the actors of a scenario can take their turns, one call of a port at a time, and
a stop of each before each of its calls, so after each too. What is played up to a point is played again from the start
for each way on, as nothing of a use case that stands in the middle can be copied; a state that was seen before is cut
off, and with it all that would follow. `foresight` knows of most ways that they lead to such a state, and spares
playing them. Then Airflow and people do what is left to them, clean runs follow, and `invariants` looks: each object in
each target's table exactly as often as asked, nothing stuck, ledger and history agree.

- `actors`: a use case that stands still before each of its calls; `ports` are the ports that make it do so, and `stage`
  holds what they work on, which is `support.fakes`.
- `use_cases`: what actors do. A use case that is new gets a function there, and scenarios with what it may meet.
- `scenarios`: who meets whom, and how far that is explored.
- `asked`: how often each object is to be in each table. `aftermath`: what follows when all actors are through.
- `schedules`: a schedule as text; the same text plays the same story again.
- `teeth`: plays a copy of the loader that lacks a safeguard of `mutations`; there a scenario must find a hole.

`make interleavings` plays everything, one scenario on each processor; two of them take ten minutes at most. With
`--scenario NAME --schedule TEXT` it plays one schedule, call by call; a hole that is found prints them. `make test`
plays the part in `test_interleavings.py`.

A call that only its actor can notice takes no turn: opening a session, its number, BEGIN, what one's own COPY loaded.

Bounds. Two actors: all orders, each of the two stopped anywhere or not at all. Three actors: at most two preemptions,
which are turns taken from an actor that could go on, and at most one stop. No actor makes more than MOST_CALLS calls,
which none of them comes near: these bounds hold for every scenario.
"""
