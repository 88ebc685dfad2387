package bolide.interop;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** What operators see of a group, and what they make its clients do. */
final class StatusCases {
    static final Case[] ALL = {
        Case.of("status.of-consumer", StatusCases::status),
        Case.of("status.running-info", StatusCases::running),
        Case.of("status.stack", StatusCases::stack),
        Case.of("status.consume-directly", StatusCases::directly),
        Case.of("status.consume-stats", StatusCases::stats),
        Case.of("status.time-span", StatusCases::timeSpan),
        Case.of("status.who-consumes", StatusCases::who),
        Case.of("status.subscriptions", StatusCases::subscriptions),
        Case.of("status.broker-stats", StatusCases::brokerStats),
        Case.of("status.all-consume-stats", StatusCases::allStats),
        Case.of("status.browse-queue", StatusCases::browse),
        Case.of("status.producer-connections", StatusCases::producers),
    };

    private StatusCases() {
    }

    /** 20 messages of 2 queues consumed and committed. */
    private static Inbox online(String name, String tags) throws Exception {
        String topic = Tools.topic(name, 2);
        Inbox in = new Inbox(name + "-group").subscribe(topic, tags).start(topic, 2);
        ResetCases.send(topic, 2, 0, 20);
        if (tags.equals("*")) {
            in.has(20, 15);
            in.commit();
            Tools.await(5, () -> in.committed(Tools.queue0(topic, 0)) == 10
                && in.committed(Tools.queue0(topic, 1)) == 10);
        }
        return in;
    }

    /** 223 to the broker, 221 from it to the clients. */
    private static void status() throws Exception {
        Inbox in = online("sstatus", "*");
        String topic = Tools.name("sstatus");
        var all = Desk.admin().getConsumeStatus(topic, Tools.name("sstatus-group"), "");
        Check.equal(all.keySet().toString(), "[" + in.clientId() + "]", "clients");
        var one = all.values().iterator().next();
        Check.equal(one.get(Tools.queue(topic, 0)) + " " + one.get(Tools.queue(topic, 1)), "10 10",
            "offsets as the client has them");
        var same = Desk.admin().getConsumeStatus(topic, Tools.name("sstatus-group"), in.clientId());
        Check.equal(same.size(), 1, "of one client");
        int code = Desk.refusal(() -> Desk.admin().getConsumeStatus(topic, Tools.name("nobody"), ""));
        Check.that(code != 0, "of a group that is not there", code);
        in.drop();
    }

    private static void running() throws Exception {
        Inbox in = online("srun", "*");
        String topic = Tools.name("srun");
        var info = Desk.admin().getConsumerRunningInfo(Tools.name("srun-group"), in.clientId(), false);
        Check.equal(info.getMqTable().size() >= 2, true, "its queues");
        TreeSet<String> topics = new TreeSet<>();
        for (var sub : info.getSubscriptionSet()) {
            topics.add(sub.getTopic());
        }
        Check.that(topics.contains(topic), "its subscriptions", topics);
        Check.equal(info.getProperties().getProperty("PROP_CONSUME_TYPE"), "CONSUME_PASSIVELY", "type");
        Check.that(info.getStatusTable().containsKey(topic), "its rates", info.getStatusTable());
        Check.equal(info.getJstack(), null, "no stack unless asked for");
        String code = Desk.refusalText(() -> Desk.admin().getConsumerRunningInfo(
            Tools.name("srun-group"), "1.2.3.4@nobody", false));
        Check.that(code.startsWith("1 "), "a client that is not there", code);
        in.drop();
    }

    private static void stack() throws Exception {
        Inbox in = online("sstack", "*");
        var info = Desk.admin().getConsumerRunningInfo(Tools.name("sstack-group"), in.clientId(), true);
        Check.that(info.getJstack() != null && info.getJstack().contains("ConsumeMessageThread"),
            "the stacks of its threads", info.getJstack() == null ? null : info.getJstack().length());
        in.drop();
    }

    private static void directly() throws Exception {
        String topic = Tools.topic("sdirect", 1);
        String group = Tools.name("sdirect-group");
        String[] says = {"ok"};
        Inbox in = new Inbox("sdirect-group").says((msgs, context) -> {
            if (says[0].equals("throw")) {
                throw new IllegalStateException("on purpose");
            }
            return says[0].equals("later") ? ConsumeConcurrentlyStatus.RECONSUME_LATER : null;
        }).subscribe(topic, "*").start(topic, 1);
        SendResult sent = Tools.producer().send(Tools.text(topic, "one"));
        in.has(1, 15);
        String id = sent.getOffsetMsgId();
        var result = Desk.admin().consumeMessageDirectly(group, in.clientId(), topic, id);
        Check.equal(result.getConsumeResult().toString(), "CR_SUCCESS", "a listener that succeeds");
        Check.equal(in.got.size(), 2, "it was given the message once more");
        Check.equal(in.got.get(1).body + " " + in.got.get(1).topic, "one " + topic, "that message");
        Check.equal(result.isOrder(), false, "not orderly");
        says[0] = "later";
        result = Desk.admin().consumeMessageDirectly(group, in.clientId(), topic, id);
        Check.equal(result.getConsumeResult().toString(), "CR_LATER", "one that fails");
        says[0] = "throw";
        result = Desk.admin().consumeMessageDirectly(group, in.clientId(), topic, id);
        Check.equal(result.getConsumeResult().toString(), "CR_THROW_EXCEPTION", "one that throws");
        Check.that(result.getRemark().contains("on purpose"), "its text", result.getRemark());
        String code = Desk.refusalText(() -> Desk.admin().consumeMessageDirectly(group,
            "1.2.3.4@nobody", topic, id));
        Check.that(code.startsWith("1 "), "a client that is not there", code);
        in.drop();
    }

    private static void stats() throws Exception {
        Inbox in = online("sstats", "*");
        String topic = Tools.name("sstats");
        String group = Tools.name("sstats-group");
        in.close();
        ResetCases.send(topic, 2, 20, 26);
        var stats = Desk.admin().examineConsumeStats(group);
        Check.equal(stats.computeTotalDiff(), 6L, "behind by");
        var one = stats.getOffsetTable().get(Tools.queue(topic, 0));
        Check.equal(one.getBrokerOffset() + " " + one.getConsumerOffset(), "13 10", "of a queue");
        Check.that(one.getLastTimestamp() > System.currentTimeMillis() - 60000, "time of the last consumed",
            one.getLastTimestamp());
        stats = Desk.admin().examineConsumeStats(group, topic);
        Check.equal(stats.getOffsetTable().size(), 2, "of the topic alone");
        String code = Desk.refusalText(() -> Desk.admin().examineConsumeStats(Tools.name("no-one")));
        Check.that(!code.equals("0"), "of an unknown group", code);
    }

    private static void timeSpan() throws Exception {
        Inbox in = online("sspan", "*");
        String topic = Tools.name("sspan");
        var spans = Desk.admin().queryConsumeTimeSpan(topic, Tools.name("sspan-group"));
        Check.equal(spans.size(), 2, "queues");
        for (var span : spans) {
            Check.that(span.getMinTimeStamp() > 0 && span.getMaxTimeStamp() >= span.getMinTimeStamp()
                && span.getConsumeTimeStamp() > 0, "times of the first, the last and the consumed one",
                span.getMinTimeStamp() + " " + span.getMaxTimeStamp() + " " + span.getConsumeTimeStamp());
            Check.equal(span.getDelayTime(), 0L, "not behind");
        }
        in.drop();
    }

    private static void who() throws Exception {
        Inbox a = online("swho", "*");
        String topic = Tools.name("swho");
        Inbox b = new Inbox("swho-second").subscribe(topic, "*").start(topic, 2);
        Check.equal(new TreeSet<>(Desk.admin().queryTopicConsumeByWho(topic).getGroupList()).toString(),
            new TreeSet<>(Arrays.asList(Tools.name("swho-group"), Tools.name("swho-second"))).toString(),
            "groups of a topic");
        a.close();
        Check.that(Desk.admin().queryTopicConsumeByWho(topic).getGroupList().contains(
            Tools.name("swho-group")), "also one that has left its offsets", "missing");
        b.drop();
    }

    private static void subscriptions() throws Exception {
        Inbox in = online("ssubs", "X || Y");
        String topic = Tools.name("ssubs");
        String group = Tools.name("ssubs-group");
        Object sub = Tools.call(Desk.admin(), "querySubscription", group, topic);
        Check.equal(Tools.call(sub, "getSubString"), "X || Y", "345: the expression");
        Object list = Tools.call(Desk.admin(), "queryTopicsByConsumer", group);
        TreeSet<Object> topics = new TreeSet<>();
        for (Object one : (Iterable<?>) Tools.call(list, "getTopicList")) {
            topics.add(one);
        }
        Check.note("343: topics of a group that has committed nothing: " + topics);
        in.commit();
        in.drop();
    }

    private static void brokerStats() throws Exception {
        Inbox in = online("sbroker", "*");
        String topic = Tools.name("sbroker");
        var stats = Desk.admin().viewBrokerStatsData(Desk.broker(), "TOPIC_PUT_NUMS", topic);
        Check.that(stats.getStatsMinute() != null && stats.getStatsDay() != null, "sent to a topic", stats);
        Check.that(Tools.await(12, () -> {
            try {
                return Desk.admin().viewBrokerStatsData(Desk.broker(), "GROUP_GET_NUMS",
                    topic + "@" + Tools.name("sbroker-group")).getStatsMinute() != null;
            } catch (Exception e) {
                return false;
            }
        }), "given to a group", "none");
        int code = Desk.refusal(() -> Desk.admin().viewBrokerStatsData(Desk.broker(), "NO_SUCH_STATS",
            topic));
        Check.equal(code, 1, "figures that are not there: 1");
        in.drop();
    }

    private static void allStats() throws Exception {
        Inbox in = online("sall", "*");
        String group = Tools.name("sall-group");
        var all = Desk.admin().fetchConsumeStatsInBroker(Desk.broker(), false, 10000);
        List<String> groups = new ArrayList<>();
        for (var map : all.getConsumeStatsList()) {
            groups.addAll(map.keySet());
        }
        Check.that(groups.contains(group), "all groups of the broker", groups.size());
        in.drop();
    }

    /** 321: entries of a queue, with what a group's expression says of them. */
    private static void browse() throws Exception {
        String topic = Tools.topic("sbrowse", 1);
        MessageQueue mq = Tools.queue(topic, 0);
        Inbox in = new Inbox("sbrowse-group").subscribe(topic, "A").start(topic, 1);
        for (String tag : new String[] {"A", "B", "A"}) {
            Tools.producer().send(new Message(topic, tag, tag.getBytes()), mq);
        }
        in.has(2, 15);
        var body = Desk.admin().queryConsumeQueue(Desk.broker(), topic, 0, 0, 10,
            Tools.name("sbrowse-group"));
        Check.equal(body.getQueueData().size(), 3, "entries");
        Check.equal(body.getMinQueueIndex() + " " + body.getMaxQueueIndex(), "0 3", "ends");
        var first = body.getQueueData().get(0);
        Check.equal(first.getTagsCode(), (long) "A".hashCode(), "tag code");
        Check.that(first.getPhysicSize() > 90 && first.getPhysicOffset() >= 0, "place", first);
        Check.equal(body.getSubscriptionData().getSubString(), "A", "that expression");
        in.drop();
    }

    private static void producers() throws Exception {
        String topic = Tools.topic("sprod", 1);
        var producer = Tools.newProducer("sprod-producer");
        producer.send(Tools.text(topic, "one"));
        producer.getDefaultMQProducerImpl().getMqClientFactory().sendHeartbeatToAllBrokerWithLock();
        Check.that(Tools.await(5, () -> {
            try {
                return Desk.admin().examineProducerConnectionInfo(Tools.name("sprod-producer"), topic)
                    .getConnectionSet().size() == 1;
            } catch (Exception e) {
                return false;
            }
        }), "one connection", "none");
        producer.shutdown();
        int code = Desk.refusal(() -> Desk.admin().examineProducerConnectionInfo(
            Tools.name("sprod-producer"), topic));
        Check.that(code != 0, "none after it left", code);
    }
}
