package bolide.interop;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragelyByCircle;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** Who is in a group, who hears of it, and who gets which queues. */
final class MemberCases {
    static final Case[] ALL = {
        Case.of("member.heartbeat-v1", MemberCases::heartbeat1),
        Case.of("member.heartbeat-v2", MemberCases::heartbeat2),
        Case.of("member.list", MemberCases::list),
        Case.of("member.join-and-leave-notice", MemberCases::joinAndLeave),
        Case.of("member.dropped-connection-notice", MemberCases::dropped),
        Case.of("member.notices-off", MemberCases::noticesOff),
        Case.of("member.balance-average", () -> balance(false, "average")),
        Case.of("member.balance-circle", () -> balance(true, "circle")),
        Case.of("member.assigned-by-server-average", () -> assigned(false, "sav")),
        Case.of("member.assigned-by-server-circle", () -> assigned(true, "sci")),
        Case.of("member.request-mode-pull", MemberCases::requestMode),
        Case.of("member.disagree-topics", MemberCases::disagreeTopics),
        Case.of("member.disagree-tags", MemberCases::disagreeTags),
        Case.of("member.subscribe-later", MemberCases::subscribeLater),
        Case.of("member.consume-enable", MemberCases::consumeEnable),
        Case.of("member.broadcast-enable", MemberCases::broadcastEnable),
        Case.of("member.broadcast-group", MemberCases::broadcastGroup),
        Case.of("member.pull-only-group", MemberCases::pullOnly),
    };

    private MemberCases() {
    }

    private static void heartbeat1() throws Exception {
        String topic = Tools.topic("hb1", 2);
        Inbox a = new Inbox("hb1-group").subscribe(topic, "A || B").start(topic, 2);
        var seen = Desk.admin().examineConsumerConnectionInfo(Tools.name("hb1-group"));
        Check.equal(seen.getConnectionSet().size(), 1, "one connection");
        Check.equal(seen.getConnectionSet().iterator().next().getClientId(), a.clientId(), "client id");
        Check.equal(seen.getConsumeType().toString(), "CONSUME_PASSIVELY", "consume type");
        Check.equal(seen.getMessageModel().toString(), "CLUSTERING", "message model");
        Check.equal(seen.getConsumeFromWhere().toString(), "CONSUME_FROM_FIRST_OFFSET", "from where");
        Check.equal(new TreeSet<>(seen.getSubscriptionTable().keySet()).toString(),
            new TreeSet<>(Arrays.asList(topic, "%RETRY%" + Tools.name("hb1-group"))).toString(),
            "topics of the subscription");
        var sub = seen.getSubscriptionTable().get(topic);
        Check.equal(sub.getSubString(), "A || B", "expression");
        Check.equal(new TreeSet<>(sub.getTagsSet()).toString(), "[A, B]", "tags");
        Check.equal(sub.getCodeSet().size(), 2, "tag codes");
        a.close();
        Check.equal(Desk.refusal(() -> Desk.admin().examineConsumerConnectionInfo(
            Tools.name("hb1-group"))), 206, "206 when the last has left");
    }

    private static void heartbeat2() throws Exception {
        String topic = Tools.topic("hb2", 2);
        String other = Tools.topic("hb2-other", 2);
        Inbox a = new Inbox("hb2-group").subscribe(topic, "*");
        Tools.call(a.consumer, "setUseHeartbeatV2", true);
        a.consumer.setHeartbeatBrokerInterval(1000);
        a.start(topic, 2);
        Tools.producer().send(Tools.text(topic, "one"));
        Check.that(a.has(1, 20), "consumes", a.got);
        Thread.sleep(2500);
        Check.equal(subscription(a, topic), "*", "still known after heartbeats without subscription");
        a.consumer.subscribe(other, "X");
        Check.that(Tools.await(10, () -> "X".equals(subscription(a, other))),
            "a changed subscription arrives", subscription(a, other));
        Thread.sleep(2500);
        Check.equal(subscription(a, topic), "*", "and the old one stays");
        Inbox b = new Inbox("hb2-group").subscribe(topic, "*").subscribe(other, "X");
        Tools.call(b.consumer, "setUseHeartbeatV2", true);
        b.start(topic, 1);
        Check.that(Tools.await(8, () -> a.queues(topic).size() == 1), "a second member is noticed",
            a.queues(topic));
        a.drop();
        b.drop();
    }

    private static String subscription(Inbox of, String topic) {
        try {
            var seen = Desk.admin().examineConsumerConnectionInfo(of.consumer.getConsumerGroup());
            return seen.getSubscriptionTable().get(topic).getSubString();
        } catch (Exception e) {
            return String.valueOf(e);
        }
    }

    private static void list() throws Exception {
        String topic = Tools.topic("list", 4);
        Inbox a = new Inbox("list-group").subscribe(topic, "*").start(topic, 4);
        Inbox b = new Inbox("list-group").subscribe(topic, "*").start(topic, 2);
        TreeSet<String> both = new TreeSet<>(Arrays.asList(a.clientId(), b.clientId()));
        Check.equal(new TreeSet<>(ids(a, topic, "list-group")), both, "both are listed");
        b.close();
        Check.equal(new TreeSet<>(ids(a, topic, "list-group")).toString(), "[" + a.clientId() + "]",
            "who left is not");
        Check.equal(ids(a, topic, "no-such-group"), null, "an unknown group has no list");
        a.drop();
    }

    private static List<String> ids(Inbox by, String topic, String group) {
        return by.consumer.getDefaultMQPushConsumerImpl().getmQClientFactory()
            .findConsumerIdList(topic, Tools.name(group));
    }

    private static void joinAndLeave() throws Exception {
        String topic = Tools.topic("notice", 8);
        Inbox a = new Inbox("notice-group").subscribe(topic, "*").start(topic, 8);
        Thread.sleep(1000);
        Inbox b = new Inbox("notice-group").subscribe(topic, "*").start();
        Check.that(Tools.await(6, () -> a.queues(topic).size() == 4),
            "a member hears of another that joins", a.queues(topic));
        b.holds(topic, 4, 25);
        b.close();
        Check.that(Tools.await(6, () -> a.queues(topic).size() == 8),
            "a member hears of one that leaves", a.queues(topic));
        a.drop();
    }

    /** The connection ends without a word: an application that is killed. */
    private static void dropped() throws Exception {
        String topic = Tools.topic("dropped", 8);
        Inbox a = new Inbox("dropped-group").subscribe(topic, "*").start(topic, 8);
        Inbox b = new Inbox("dropped-group").subscribe(topic, "*").start(topic, 4);
        a.holds(topic, 4, 25);
        Thread.sleep(1000);
        b.consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getMQClientAPIImpl().shutdown();
        Check.that(Tools.await(6, () -> a.queues(topic).size() == 8),
            "a member hears of one whose connection ended", a.queues(topic));
        a.drop();
    }

    private static void noticesOff() throws Exception {
        String topic = Tools.topic("quiet", 8);
        Desk.group(Tools.name("quiet-group"), "notifyConsumerIdsChangedEnable", false);
        Inbox a = new Inbox("quiet-group").subscribe(topic, "*").start(topic, 8);
        a.knowsRetries(); // until it has all it looks every second
        Thread.sleep(1500);
        Inbox b = new Inbox("quiet-group").subscribe(topic, "*").start();
        Thread.sleep(3000);
        Check.equal(a.queues(topic).size(), 8, "a member of a quiet group is told nothing");
        a.consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().rebalanceImmediately();
        Check.that(Tools.await(6, () -> a.queues(topic).size() == 4),
            "and finds out when it looks itself", a.queues(topic));
        a.drop();
        b.drop();
    }

    /** Two members in the order of their client ids hold these of 8 queues. */
    private static void shares(String topic, Inbox a, Inbox b, boolean circle) throws Exception {
        boolean first = a.clientId().compareTo(b.clientId()) < 0;
        Inbox low = first ? a : b;
        Inbox high = first ? b : a;
        String want = circle ? "[0, 2, 4, 6] [1, 3, 5, 7]" : "[0, 1, 2, 3] [4, 5, 6, 7]";
        for (int i = 0; i < 25 && !want.equals(low.queues(topic) + " " + high.queues(topic)); i++) {
            low.holds(topic, 4, 1);
            high.holds(topic, 4, 1);
        }
        Check.equal(low.queues(topic) + " " + high.queues(topic), want, "who has which queues");
        for (int i = 0; i < 40; i++) {
            Tools.producer().send(Tools.text(topic, "m" + i));
        }
        Check.that(Tools.await(15, () -> {
            TreeSet<String> all = low.different();
            all.addAll(high.different());
            return all.size() == 40;
        }), "40 messages arrive", low.got.size() + " and " + high.got.size());
        Check.equal(low.got.size() + high.got.size(), 40, "each once");
        Check.equal(low.got.size(), 20, "half of them each");
        low.drop();
        high.drop();
    }

    private static void balance(boolean circle, String name) throws Exception {
        String topic = Tools.topic(name, 8);
        List<Inbox> both = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            Inbox in = new Inbox(name + "-group").subscribe(topic, "*");
            if (circle) {
                in.consumer.setAllocateMessageQueueStrategy(new AllocateMessageQueueAveragelyByCircle());
            }
            both.add(in.start());
        }
        shares(topic, both.get(0), both.get(1), circle);
    }

    /** clientRebalance=false: the broker answers 400 with the queues. */
    private static void assigned(boolean circle, String name) throws Exception {
        String topic = Tools.topic(name, 8);
        List<Inbox> both = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            Inbox in = new Inbox(name + "-group").subscribe(topic, "*");
            Tools.call(in.consumer, "setClientRebalance", false);
            if (circle) {
                in.consumer.setAllocateMessageQueueStrategy(new AllocateMessageQueueAveragelyByCircle());
            }
            both.add(in.start());
        }
        shares(topic, both.get(0), both.get(1), circle);
    }

    /** 401 sets the mode, and consumers that let the server assign go on pulling. */
    private static void requestMode() throws Exception {
        String topic = Tools.topic("mode", 4);
        String group = Tools.name("mode-group");
        Desk.group(group);
        Object pull = mode("PULL");
        Tools.call(Desk.admin(), "setMessageRequestMode", Desk.broker(), topic, group, pull, 0, 5000L);
        Inbox a = new Inbox("mode-group").subscribe(topic, "*");
        Tools.call(a.consumer, "setClientRebalance", false);
        a.start(topic, 4);
        Tools.producer().send(Tools.text(topic, "one"));
        Check.that(a.has(1, 15), "a consumer pulls what the server assigned", a.queues(topic));
        String refused = Desk.refusalText(() -> Tools.call(Desk.admin(), "setMessageRequestMode",
            Desk.broker(), "%RETRY%" + group, group, pull, 0, 5000L));
        Check.that(refused.startsWith("16 "), "no mode for a retry topic", refused);
        a.drop();
    }

    private static Object mode(String name) throws Exception {
        try {
            Class<?> type = Class.forName("org.apache.rocketmq.common.message.MessageRequestMode");
            for (Object one : type.getEnumConstants()) {
                if (one.toString().equals(name)) {
                    return one;
                }
            }
        } catch (ClassNotFoundException e) {
            throw new Case.Skip("this client knows no request modes");
        }
        throw new IllegalArgumentException(name);
    }

    /** Each of two members has another topic: each gets half the queues of its own, nobody the rest. */
    private static void disagreeTopics() throws Exception {
        String one = Tools.topic("disagree-one", 4);
        String two = Tools.topic("disagree-two", 4);
        Inbox a = new Inbox("disagree-group").subscribe(one, "*");
        a.consumer.setHeartbeatBrokerInterval(30000);
        a.start(one, 4);
        Inbox b = new Inbox("disagree-group").subscribe(two, "*");
        b.consumer.setHeartbeatBrokerInterval(30000);
        b.start();
        Check.that(a.holds(one, 2, 25), "2 of 4 queues for the one", a.queues(one));
        Check.that(b.holds(two, 2, 25), "2 of 4 queues for the other", b.queues(two));
        for (Inbox in : Arrays.asList(a, b)) {
            String mine = in == a ? one : two;
            TreeSet<String> topics = new TreeSet<>();
            Check.that(Tools.await(5, () -> {
                in.consumer.getDefaultMQPushConsumerImpl().getmQClientFactory()
                    .sendHeartbeatToAllBrokerWithLock();
                topics.clear();
                topics.addAll(topics(in));
                return topics.contains(mine) && topics.size() == 1;
            }), "the group subscribes to what the last heartbeat said", topics);
        }
        a.drop();
        b.drop();
    }

    private static TreeSet<String> topics(Inbox of) {
        try {
            TreeSet<String> all = new TreeSet<>(Desk.admin().examineConsumerConnectionInfo(
                of.consumer.getConsumerGroup()).getSubscriptionTable().keySet());
            all.remove("%RETRY%" + of.consumer.getConsumerGroup());
            return all;
        } catch (Exception e) {
            return new TreeSet<>();
        }
    }

    /** The newest subscription is the group's; who has another is given nothing. */
    private static void disagreeTags() throws Exception {
        String topic = Tools.topic("distag", 2);
        Inbox a = new Inbox("distag-group").subscribe(topic, "A").start(topic, 2);
        Thread.sleep(50);
        Inbox b = new Inbox("distag-group").subscribe(topic, "B").start(topic, 1);
        a.holds(topic, 1, 20);
        Thread.sleep(2500); // a new share makes a client's subscription newer
        String group = subscription(b, topic);
        Check.that(group.equals("A") || group.equals("B"), "the group's expression is one of both", group);
        for (int i = 0; i < 8; i++) {
            Tools.producer().send(new Message(topic,
                i % 4 < 2 ? "A" : "B", ((i % 4 < 2 ? "A" : "B") + i).getBytes()), Tools.queue0(topic, i % 2));
        }
        Inbox wins = group.equals("A") ? a : b;
        Check.that(wins.has(2, 15), "who agrees with the broker gets the share of its queue", wins.got);
        Thread.sleep(500);
        Check.equal(wins.got.size(), 2, "and no more");
        Check.equal((wins == a ? b : a).got.size(), 0, "who asked for another tag is given none");
        a.drop();
        b.drop();
    }

    private static void subscribeLater() throws Exception {
        String one = Tools.topic("later-one", 2);
        String two = Tools.topic("later-two", 2);
        Inbox a = new Inbox("later-group").subscribe(one, "*").start(one, 2);
        a.subscribe(two, "*");
        Check.that(a.holds(two, 2, 30), "queues of a topic subscribed to while running", a.queues(two));
        Tools.producer().send(Tools.text(two, "hello"));
        Check.that(a.has(1, 15), "and its messages", a.got);
        a.consumer.unsubscribe(two);
        a.consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().sendHeartbeatToAllBrokerWithLock();
        Check.that(Tools.await(5, () -> subscription(a, two).contains("NullPointer")),
            "a topic unsubscribed from is gone", subscription(a, two));
        a.drop();
    }

    private static void consumeEnable() throws Exception {
        String topic = Tools.topic("enable", 1);
        String group = Tools.name("enable-group");
        Tools.producer().send(Tools.text(topic, "one"));
        Desk.group(group, "consumeEnable", false);
        DefaultMQPullConsumer p = puller(group);
        MessageQueue mq = Tools.queue(topic, 0);
        String refused = Desk.refusalText(() -> p.pull(mq, "*", 0, 1));
        Check.that(refused.startsWith("16 "), "a pull of a disabled group is refused with 16", refused);
        Desk.group(group, "consumeEnable", true);
        Check.equal(p.pull(mq, "*", 0, 1).getPullStatus(), PullStatus.FOUND, "and served when enabled");
        Tools.endLater(p::shutdown);
    }

    static DefaultMQPullConsumer puller(String group) throws Exception {
        DefaultMQPullConsumer p = new DefaultMQPullConsumer(group);
        p.setNamesrvAddr(Tools.namesrv);
        p.setInstanceName(Tools.instance());
        p.start();
        return p;
    }

    private static void broadcastEnable() throws Exception {
        String topic = Tools.topic("nobroad", 1);
        Desk.group(Tools.name("nobroad-group"), "consumeBroadcastEnable", false);
        DefaultMQPushConsumer c = Tools.newPush("nobroad-group");
        Tools.broadcasting(c);
        Inbox a = new Inbox(c).subscribe(topic, "*").start();
        Tools.producer().send(Tools.text(topic, "one"));
        a.holds(topic, 1, 20);
        Thread.sleep(2500);
        Check.equal(a.got.size(), 0, "a group that may not broadcast is given nothing");
        Desk.group(Tools.name("nobroad-group"), "consumeBroadcastEnable", true);
        Check.that(a.has(1, 15), "and is when it may", a.got);
        a.drop();
    }

    private static void broadcastGroup() throws Exception {
        String topic = Tools.topic("broadgroup", 3);
        List<Inbox> all = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            DefaultMQPushConsumer c = Tools.newPush("broad-group");
            Tools.broadcasting(c);
            all.add(new Inbox(c).subscribe(topic, "A").start());
        }
        for (Inbox in : all) {
            Check.that(in.holds(topic, 3, 20), "a member has all queues", in.queues(topic));
        }
        for (int i = 0; i < 30; i++) {
            Tools.producer().send(new Message(topic,
                i % 2 == 0 ? "A" : "B", ("m" + i).getBytes()));
        }
        for (Inbox in : all) {
            in.has(15, 15);
            Check.equal(in.got.size() + " " + in.different().size(), "15 15", "each gets all of tag A");
        }
        var seen = Desk.admin().examineConsumerConnectionInfo(Tools.name("broad-group"));
        Check.equal(seen.getMessageModel().toString(), "BROADCASTING", "message model");
        Check.equal(seen.getConnectionSet().size(), 3, "three members");
        for (Inbox in : all) {
            in.drop();
        }
    }

    private static void pullOnly() throws Exception {
        String topic = Tools.topic("pullonly", 1);
        String group = Tools.name("pullonly-group");
        DefaultMQPullConsumer p = puller(group);
        p.registerMessageQueueListener(topic, null);
        Tools.producer().send(Tools.text(topic, "one"));
        MessageQueue mq = Tools.queue(topic, 0);
        Check.equal(p.pull(mq, "*", 0, 1).getPullStatus(), PullStatus.FOUND, "it pulls");
        p.getDefaultMQPullConsumerImpl().getRebalanceImpl().getmQClientFactory()
            .sendHeartbeatToAllBrokerWithLock();
        Check.that(Tools.await(5, () -> {
            try {
                return Desk.admin().examineConsumerConnectionInfo(group).getConsumeType().toString()
                    .equals("CONSUME_ACTIVELY");
            } catch (Exception e) {
                return false;
            }
        }), "it is known as one that pulls", Desk.refusal(() ->
            Desk.admin().examineConsumerConnectionInfo(group)));
        p.updateConsumeOffset(mq, 1);
        p.getOffsetStore().persist(mq);
        Check.that(Tools.await(5, () -> {
            try {
                return p.fetchConsumeOffset(mq, true) == 1;
            } catch (Exception e) {
                return false;
            }
        }), "it commits", p.fetchConsumeOffset(mq, true));
        Tools.endLater(p::shutdown);
    }
}
