package bolide.interop;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Messages that could not be consumed. The servers run with the levels of lib/interop.py (LEVELS): level 1 is one second,
 * 2 two, 3 one, 4 two, 5 three.
 */
final class RetryCases {
    static final Case[] ALL = {
        Case.of("retry.level-of-the-listener", RetryCases::level),
        Case.of("retry.level-by-default", RetryCases::byDefault),
        Case.of("retry.names", RetryCases::names),
        Case.of("retry.identity", RetryCases::identity),
        Case.of("retry.custom-max", RetryCases::customMax),
        Case.of("retry.straight-to-dlq", RetryCases::straight),
        Case.of("retry.dlq-identity", RetryCases::deadIdentity),
        Case.of("retry.exception", RetryCases::exception),
        Case.of("retry.batch-consumption", RetryCases::batch),
        Case.of("retry.part-of-a-batch", RetryCases::part),
        Case.of("retry.orderly", RetryCases::orderly),
        Case.of("retry.orderly-max", RetryCases::orderlyMax),
        Case.of("retry.policy-exponential", RetryCases::exponential),
        Case.of("retry.policy-customized", RetryCases::customized),
        Case.of("retry.no-retry-queues", RetryCases::noQueues),
        Case.of("retry.pull-consumer", RetryCases::pullConsumer),
        Case.of("retry.another-group-is-spared", RetryCases::spared),
        Case.of("retry.tags", RetryCases::tags),
    };

    private RetryCases() {
    }

    private static Inbox failing(String group, String topic, int failures, int level)
        throws Exception {
        AtomicInteger count = new AtomicInteger();
        Inbox in = new Inbox(group).says((msgs, context) -> {
            if (level != 0) {
                context.setDelayLevelWhenNextConsume(level);
            }
            return count.incrementAndGet() <= failures ? ConsumeConcurrentlyStatus.RECONSUME_LATER : null;
        }).subscribe(topic, "*").start();
        in.knowsRetries();
        in.holds(topic, Tools.queues(topic).size(), 20);
        return in;
    }

    private static String times(Inbox in) {
        List<Integer> all = new ArrayList<>();
        for (Inbox.Got g : in.got) {
            all.add(g.times);
        }
        return all.toString();
    }

    /** Between two deliveries at least this long, and not much longer. */
    private static void pause(Inbox in, int after, int ms) {
        long seen = in.got.get(after + 1).at - in.got.get(after).at;
        Check.that(seen >= ms - 50 && seen < ms + 2500, "delivery " + (after + 1) + " comes " + ms
            + " ms after the one before", seen);
    }

    private static void level() throws Exception {
        String topic = Tools.topic("rlevel", 1);
        Inbox in = failing("rlevel-group", topic, 2, 2);
        Tools.producer().send(Tools.text(topic, "again"));
        in.has(3, 20);
        Check.equal(times(in), "[0, 1, 2]", "delivered until consumed");
        pause(in, 0, 2000);
        pause(in, 1, 2000);
        Thread.sleep(2500);
        Check.equal(in.got.size(), 3, "and not again");
        in.drop();
    }

    /** Level 3 + how often it was consumed. */
    private static void byDefault() throws Exception {
        String topic = Tools.topic("rdefault", 1);
        Inbox in = failing("rdefault-group", topic, 3, 0);
        Tools.producer().send(Tools.text(topic, "again"));
        in.has(4, 25);
        Check.equal(times(in), "[0, 1, 2, 3]", "delivered until consumed");
        pause(in, 0, 1000);
        pause(in, 1, 2000);
        pause(in, 2, 3000);
        in.drop();
    }

    private static void names() throws Exception {
        String topic = Tools.topic("rnames", 1);
        Inbox in = failing("rnames-group", topic, 0, 0);
        var route = Desk.admin().examineTopicRouteInfo("%RETRY%" + Tools.name("rnames-group"));
        var queue = route.getQueueDatas().get(0);
        Check.equal(queue.getReadQueueNums() + " " + queue.getWriteQueueNums() + " " + queue.getPerm(),
            "1 1 6", "the heartbeat makes a retry topic: read queues, write queues, permission");
        in.drop();
    }

    private static Message rich(String topic, String body) {
        Message m = new Message(topic, "TagR", "key-" + body, 7, body.getBytes(), true);
        m.putUserProperty("colour", "green");
        m.setBuyerId("buyer");
        return m;
    }

    private static void identity() throws Exception {
        String topic = Tools.topic("rident", 2);
        Inbox in = failing("rident-group", topic, 2, 1);
        SendResult sent = Tools.producer().send(rich(topic, "same"));
        if (!Check.that(in.has(3, 20), "three deliveries", in.got)) {
            return;
        }
        Inbox.Got first = in.got.get(0);
        for (int i = 1; i < 3; i++) {
            Inbox.Got g = in.got.get(i);
            Check.equal(g.topic, topic, "topic of a redelivery");
            Check.equal(g.id, sent.getMsgId(), "unique id");
            Check.equal(g.properties.get("ORIGIN_MESSAGE_ID"), sent.getOffsetMsgId(),
                "ORIGIN_MESSAGE_ID");
            Check.equal(g.properties.get("RETRY_TOPIC"), topic, "RETRY_TOPIC");
            Check.equal(g.tags + " " + g.keys + " " + g.body, "TagR key-same same", "tags, keys, body");
            Check.equal(g.properties.get("colour"), "green", "user property");
            Check.equal(g.properties.get("BUYER_ID"), "buyer", "buyer id");
            Check.equal(g.times, i, "how often before");
            Check.equal(g.born, first.born, "born time");
            Check.that(g.stored > first.stored, "a later store time", g.stored - first.stored);
        }
        Check.equal(in.got.get(1).queue, 0, "queue of the retry topic");
        TreeMap<String, String> more = new TreeMap<>(in.got.get(2).properties);
        more.keySet().removeAll(first.properties.keySet());
        more.keySet().remove("DELAY");
        more.keySet().removeIf(k -> k.startsWith("TIMER_"));
        more.keySet().remove("BOLIDE_TIMER"); // the mark that keeps a delivery from being made twice
        Check.equal(more.keySet().toString(), "[ORIGIN_MESSAGE_ID, REAL_QID, REAL_TOPIC, RETRY_TOPIC]",
            "properties that a second redelivery has besides its own");
        in.drop();
    }

    private static void customMax() throws Exception {
        String topic = Tools.topic("rmax", 1);
        Inbox in = new Inbox("rmax-group").says((msgs, context) -> {
            context.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        }).subscribe(topic, "*");
        in.consumer.setMaxReconsumeTimes(2);
        in.start();
        in.knowsRetries();
        Tools.producer().send(rich(topic, "dead"));
        List<MessageExt> dead = Tools.drain("%DLQ%" + Tools.name("rmax-group"), 1, 20);
        Check.equal(times(in), "[0, 1, 2]", "delivered once and twice again");
        Check.equal(dead.size(), 1, "then a dead letter");
        Thread.sleep(1500);
        Check.equal(in.got.size(), 3, "and not delivered any more");
        in.drop();
    }

    private static List<MessageExt> kill(String name, String topic, Inbox[] keep) throws Exception {
        Inbox in = failing(name + "-group", topic, 1, -1);
        keep[0] = in;
        Tools.producer().send(rich(topic, "dead"));
        in.has(1, 15);
        return Tools.drain("%DLQ%" + Tools.name(name + "-group"), 1, 15);
    }

    private static void straight() throws Exception {
        String topic = Tools.topic("rstraight", 1);
        Inbox[] in = new Inbox[1];
        List<MessageExt> dead = kill("rstraight", topic, in);
        Check.equal(dead.size(), 1, "delay level -1 makes a dead letter at once");
        Check.equal(times(in[0]), "[0]", "delivered once");
        var route = Desk.admin().examineTopicRouteInfo("%DLQ%" + Tools.name("rstraight-group"));
        var queue = route.getQueueDatas().get(0);
        Check.equal(queue.getReadQueueNums() + " " + queue.getWriteQueueNums() + " " + queue.getPerm(),
            "1 1 6", "dead letter topic: read queues, write queues, permission");
        in[0].drop();
    }

    private static void deadIdentity() throws Exception {
        String topic = Tools.topic("rdead", 1);
        Inbox[] in = new Inbox[1];
        List<MessageExt> dead = kill("rdead", topic, in);
        if (!Check.equal(dead.size(), 1, "one dead letter")) {
            return;
        }
        MessageExt m = dead.get(0);
        Check.equal(m.getTopic(), "%DLQ%" + Tools.name("rdead-group"), "topic");
        Check.equal(m.getMsgId(), in[0].got.get(0).id, "unique id");
        Check.equal(m.getTags() + " " + m.getKeys() + " " + Tools.body(m) + " " + m.getFlag(),
            "TagR key-dead dead 7", "tags, keys, body, flag");
        Check.equal(m.getProperty("colour"), "green", "user property");
        Check.equal(m.getProperty("RETRY_TOPIC"), topic, "RETRY_TOPIC");
        Check.that(m.getProperty("ORIGIN_MESSAGE_ID") != null, "ORIGIN_MESSAGE_ID", m.getProperties());
        Check.equal(m.getReconsumeTimes(), 1, "reconsume times");
        Check.equal(m.getBornTimestamp(), in[0].got.get(0).born, "born time");
        String delay = m.getProperty("DELAY");
        Check.that(delay == null || delay.equals("0"), "no delay", delay);
        MessageExt found = Tools.producer().viewMessage(m.getTopic(), m.getMsgId());
        Check.that(found != null && Tools.body(found).equals("dead"), "found by its unique id", found);
        in[0].drop();
    }

    private static void exception() throws Exception {
        String topic = Tools.topic("rthrow", 1);
        AtomicInteger count = new AtomicInteger();
        Inbox in = new Inbox("rthrow-group").says((msgs, context) -> {
            context.setDelayLevelWhenNextConsume(1);
            if (count.incrementAndGet() == 1) {
                throw new IllegalStateException("on purpose");
            }
            return null;
        }).subscribe(topic, "*").start();
        in.knowsRetries();
        Tools.producer().send(Tools.text(topic, "again"));
        in.has(2, 20);
        Check.equal(times(in), "[0, 1]", "a listener that throws is given it again");
        in.drop();
    }

    private static List<Message> list(String topic, int count) {
        List<Message> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            all.add(Tools.text(topic, "m" + i));
        }
        return all;
    }

    /** A listener that takes 8 at once and fails: each comes again, by itself. */
    private static void batch() throws Exception {
        String topic = Tools.topic("rbatch", 1);
        Tools.producer().send(list(topic, 8), Tools.queue(topic, 0));
        List<Integer> sizes = Collections.synchronizedList(new ArrayList<>());
        Inbox in = new Inbox("rbatch-group").says((msgs, context) -> {
            sizes.add(msgs.size());
            context.setDelayLevelWhenNextConsume(1);
            return msgs.get(0).getReconsumeTimes() == 0 ? ConsumeConcurrentlyStatus.RECONSUME_LATER : null;
        }).subscribe(topic, "*");
        in.consumer.setConsumeMessageBatchMaxSize(8);
        in.start();
        in.knowsRetries();
        in.has(16, 20);
        Check.equal(sizes.get(0), 8, "8 at once");
        Map<String, Integer> again = new TreeMap<>();
        for (Inbox.Got g : in.got) {
            again.merge(g.toString(), 1, Integer::sum);
        }
        Check.equal(again.size(), 16, "each of 8 twice, as a first and a second time");
        Check.equal(in.got.size(), 16, "none a third time");
        in.drop();
    }

    /** ackIndex: the first 3 of 8 are consumed, the others come again. */
    private static void part() throws Exception {
        String topic = Tools.topic("rpart", 1);
        Tools.producer().send(list(topic, 8), Tools.queue(topic, 0));
        Inbox in = new Inbox("rpart-group").says((msgs, context) -> {
            context.setDelayLevelWhenNextConsume(1);
            if (msgs.get(0).getReconsumeTimes() == 0) {
                context.setAckIndex(2);
            }
            return null;
        }).subscribe(topic, "*");
        in.consumer.setConsumeMessageBatchMaxSize(8);
        in.start();
        in.knowsRetries();
        in.has(13, 20);
        TreeSet<String> again = new TreeSet<>();
        for (Inbox.Got g : in.got) {
            if (g.times == 1) {
                again.add(g.body);
            }
        }
        Check.equal(again.toString(), "[m3, m4, m5, m6, m7]", "which come again");
        Check.equal(in.got.size(), 13, "13 deliveries");
        in.drop();
    }

    /** SUSPEND_CURRENT_QUEUE_A_MOMENT: the same message again, and the others wait. */
    private static void orderly() throws Exception {
        String topic = Tools.topic("rorder", 1);
        ConcurrentHashMap<String, Integer> count = new ConcurrentHashMap<>();
        Inbox in = new Inbox("rorder-group").orderly((msgs, context) -> {
            context.setSuspendCurrentQueueTimeMillis(100);
            String body = Tools.body(msgs.get(0));
            boolean fail = body.equals("m2") && count.merge(body, 1, Integer::sum) <= 2;
            return fail ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : null;
        }).subscribe(topic, "*").start(topic, 1);
        Tools.producer().send(list(topic, 5), Tools.queue(topic, 0));
        in.has(7, 30);
        Check.equal(in.bodies().toString(), "[m0, m1, m2, m2, m2, m3, m4]", "order");
        in.drop();
    }

    /** After maxReconsumeTimes an orderly consumer sends it to the retry topic itself and goes on. */
    private static void orderlyMax() throws Exception {
        String topic = Tools.topic("romax", 1);
        Inbox in = new Inbox("romax-group").orderly((msgs, context) -> {
            context.setSuspendCurrentQueueTimeMillis(50);
            return Tools.body(msgs.get(0)).equals("m0")
                ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : null;
        }).subscribe(topic, "*");
        in.consumer.setMaxReconsumeTimes(1);
        in.start();
        in.knowsRetries();
        in.holds(topic, 1, 25);
        Tools.producer().send(list(topic, 3), Tools.queue(topic, 0));
        Check.that(Tools.await(30, () -> in.different().contains("m2")), "the queue goes on", in.got);
        List<MessageExt> dead = Tools.drain("%DLQ%" + Tools.name("romax-group"), 1, 20);
        Check.equal(dead.size(), 1, "a dead letter");
        if (!dead.isEmpty()) {
            Check.equal(Tools.body(dead.get(0)) + " " + dead.get(0).getProperty("RETRY_TOPIC"),
                "m0 " + topic, "body and RETRY_TOPIC");
            Check.that(dead.get(0).getProperty("ORIGIN_MESSAGE_ID") != null, "ORIGIN_MESSAGE_ID",
                dead.get(0).getProperties());
        }
        in.drop();
    }

    private static Object bean(String name) throws Exception {
        try {
            return Class.forName("org.apache.rocketmq.remoting.protocol.subscription." + name)
                .getDeclaredConstructor().newInstance();
        } catch (ClassNotFoundException e) {
            throw new Case.Skip("this client knows no retry policies");
        }
    }

    /** What the group says of its policy, and that messages still come again. */
    private static void policy(String name, Object policy, String want) throws Exception {
        String topic = Tools.topic(name, 1);
        String group = Tools.name(name + "-group");
        Desk.group(group, "groupRetryPolicy", policy, "retryMaxTimes", 5);
        Object config = Desk.admin().examineSubscriptionGroupConfig(Desk.broker(), group);
        Check.equal(String.valueOf(Tools.call(config, "getGroupRetryPolicy")), want, "read back");
        Check.equal(Tools.call(config, "getRetryMaxTimes"), 5, "retryMaxTimes read back");
        Inbox in = failing(name + "-group", topic, 1, 0);
        Tools.producer().send(Tools.text(topic, "again"));
        in.has(2, 20);
        Check.equal(times(in), "[0, 1]", "a message comes again");
        in.drop();
    }

    private static void exponential() throws Exception {
        Object group = bean("GroupRetryPolicy");
        Object policy = bean("ExponentialRetryPolicy");
        Tools.set(policy, "initial", 1000L);
        Tools.set(policy, "max", 4000L);
        Tools.set(policy, "multiplier", 3L);
        Tools.set(group, "type", "EXPONENTIAL");
        Tools.set(group, "exponentialRetryPolicy", policy);
        policy("rexpo", group, group.toString());
    }

    private static void customized() throws Exception {
        Object group = bean("GroupRetryPolicy");
        Object policy = bean("CustomizedRetryPolicy");
        Tools.set(policy, "next", new long[] {1000, 2000, 3000});
        Tools.set(group, "type", "CUSTOMIZED");
        Tools.set(group, "customizedRetryPolicy", policy);
        policy("rcust", group, group.toString());
    }

    /** retryQueueNums=0: who fails is told yes, and the message is gone. */
    private static void noQueues() throws Exception {
        String topic = Tools.topic("rnone", 1);
        Inbox in = new Inbox("rnone-group").says((msgs, context) -> {
            context.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        }).subscribe(topic, "*").start(topic, 1);
        Desk.group(Tools.name("rnone-group"), "retryQueueNums", 0);
        Tools.producer().send(Tools.text(topic, "once"));
        in.has(1, 15);
        Thread.sleep(3500);
        Check.equal(times(in), "[0]", "delivered once");
        in.drop();
    }

    private static void pullConsumer() throws Exception {
        String topic = Tools.topic("rpull", 1);
        String group = Tools.name("rpull-group");
        Tools.producer().send(Tools.text(topic, "back"));
        DefaultMQPullConsumer p = MemberCases.puller(group);
        Desk.group(group);
        MessageQueue mq = Tools.queue(topic, 0);
        MessageExt m = p.pull(mq, "*", 0, 1).getMsgFoundList().get(0);
        p.sendMessageBack(m, 1, mq.getBrokerName(), group);
        List<MessageExt> back = Tools.drain("%RETRY%" + group, 1, 15);
        Check.equal(back.size(), 1, "what is sent back is in the retry topic");
        if (!back.isEmpty()) {
            Check.equal(Tools.body(back.get(0)) + " " + back.get(0).getReconsumeTimes(), "back 1",
                "body and reconsume times");
        }
        String wrong = Desk.refusalText(() -> {
            m.setCommitLogOffset(m.getCommitLogOffset() + 1);
            m.setMsgId(null);
            p.sendMessageBack(m, 1, mq.getBrokerName(), group);
            return null;
        });
        Check.note("sent back from an impossible offset: " + wrong);
        Tools.endLater(p::shutdown);
    }

    private static void spared() throws Exception {
        String topic = Tools.topic("rspare", 1);
        Inbox bad = failing("rspare-bad", topic, 1, 1);
        Inbox good = failing("rspare-good", topic, 0, 1);
        Tools.producer().send(Tools.text(topic, "m"));
        bad.has(2, 20);
        Thread.sleep(500);
        Check.equal(times(bad) + times(good), "[0, 1][0]", "only who failed gets it again");
        bad.drop();
        good.drop();
    }

    /** The retry topic is subscribed to with *: a filtered message comes again too. */
    private static void tags() throws Exception {
        String topic = Tools.topic("rtags", 1);
        CopyOnWriteArrayList<String> failed = new CopyOnWriteArrayList<>();
        Inbox in = new Inbox("rtags-group").says((msgs, context) -> {
            context.setDelayLevelWhenNextConsume(1);
            String body = Tools.body(msgs.get(0));
            return failed.addIfAbsent(body) ? ConsumeConcurrentlyStatus.RECONSUME_LATER : null;
        }).subscribe(topic, "A").start();
        in.knowsRetries();
        in.holds(topic, 1, 20);
        for (String body : new String[] {"A1", "B2", "A3"}) {
            Tools.producer().send(new Message(topic, body.substring(0, 1), body.getBytes()));
        }
        in.has(4, 20);
        Check.equal(in.got.size() + " " + in.different().size(), "4 2", "two of tag A, twice each");
        in.drop();
    }
}
