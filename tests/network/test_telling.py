"""What reaches a topic when calls of SNS break."""

import json

import pytest
from botocore.exceptions import EndpointConnectionError
from network.eager_clients import eager_client
from network.fault_proxy import Fault, FaultProxy, Kind

from rsloader_provider.aws.client_settings import client_settings
from rsloader_provider.aws.notifier import SnsNotifier
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.ports.notifier import AnswerLostError, Notifier


@pytest.fixture(params=["hook", "alone"])
def notifier(request: pytest.FixtureRequest, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Notifier:
    """SNS as Airflow's workers reach it, and as this folder's other tests do."""
    if request.param == "alone":
        return SnsNotifier(lambda: eager_client("sns", proxy.endpoint_url))
    extra = {"endpoint_url": proxy.endpoint_url, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    return RsloaderHook().get_conn().notifier


@pytest.mark.parametrize("kind", [Kind.DROPPED, Kind.ANSWER_LOST, Kind.FAILED_AFTER, Kind.GARBLED])
def test_a_message_whose_answer_is_lost_is_not_sent_again(
    notifier: Notifier, proxy: FaultProxy, topic: str, kind: Kind
):
    proxy.order(Fault(kind, "Publish"))
    with pytest.raises(AnswerLostError, match=topic):
        notifier.publish(topic, "rsloader: orders loaded", {"status": "ok"})
    assert len(proxy.requests) == 1


def test_a_throttled_message_is_sent_again_until_it_is_out(notifier: Notifier, proxy: FaultProxy, topic: str):
    proxy.order(Fault(Kind.THROTTLED, "Publish", times=3))
    notifier.publish(topic, "rsloader: orders loaded", {"status": "ok"})
    assert (len(proxy.requests), proxy.carried_out("Publish")) == (4, 1)


def test_a_message_that_found_no_connection_is_sent_again():
    """Nothing has left: that is told apart from an answer that is lost."""

    class UnconnectedOnce:
        asked = 0

        def publish(self, **message: str) -> None:
            self.asked += 1
            if self.asked == 1:
                raise EndpointConnectionError(endpoint_url="https://sns.nowhere.amazonaws.com")

    client = UnconnectedOnce()
    SnsNotifier(lambda: client).publish("arn:aws:sns:us-east-1:123456789012:ok", "subject", {})
    assert client.asked == 2


@pytest.mark.parametrize("service", ["s3", "dynamodb", "sns"])
def test_only_what_may_be_carried_out_twice_is_asked_again_by_boto3(service: str):
    tries = client_settings(service).retries
    assert tries["mode"] == "standard"
    assert ("total_max_attempts" in tries) is (service == "sns")
