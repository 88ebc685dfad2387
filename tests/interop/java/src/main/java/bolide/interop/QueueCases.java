package bolide.interop;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Queues of other kinds: batch consume queues, and light queues that one message goes to many of. */
final class QueueCases {
    static final Case[] ALL = {
        Case.of("batch-queue.send-and-pull", QueueCases::batchQueue),
        Case.of("batch-queue.push-consumer", QueueCases::batchConsume),
        Case.of("batch-queue.single-messages", QueueCases::batchSingle),
        Case.of("batch-queue.orderly-consumer", QueueCases::batchOrderly),
        Case.of("auto-batch.sync-and-async", () -> autoBatch("ab", false)),
        Case.of("auto-batch.batch-queue", () -> autoBatch("abq", true)),
        Case.of("light-queue.multi-dispatch", QueueCases::light),
        Case.of("light-queue.offsets", QueueCases::lightOffsets),
    };

    private QueueCases() {
    }

    private static List<Message> list(String topic, int from, int count) {
        List<Message> all = new ArrayList<>();
        for (int i = from; i < from + count; i++) {
            Message m = new Message(topic, "T" + i % 2, "k" + i, ("m" + i).getBytes());
            m.putUserProperty("n", "" + i);
            all.add(m);
        }
        return all;
    }

    private static void batchQueue() throws Exception {
        String topic = Desk.topic("bcq", 1, "+queue.type=BatchCQ");
        MessageQueue mq = Tools.queue(topic, 0);
        SendResult one = Tools.producer().send(list(topic, 0, 10), mq);
        SendResult two = Tools.producer().send(list(topic, 10, 5), mq);
        Check.equal(one.getSendStatus() + " " + one.getQueueOffset(), "SEND_OK 0", "first batch");
        Check.equal(two.getSendStatus() + " " + two.getQueueOffset(), "SEND_OK 10", "second batch");
        Check.equal(one.getOffsetMsgId().split(",").length, 1, "one record, so one offset id");
        Check.equal(Tools.puller().maxOffset(mq), 15L, "max offset");
        Check.equal(Tools.puller().minOffset(mq), 0L, "min offset");
        List<String> all = new ArrayList<>();
        List<Long> offsets = new ArrayList<>();
        for (MessageExt m : Tools.drain(topic, 15, 10)) {
            all.add(Tools.body(m) + m.getKeys() + m.getTags() + m.getUserProperty("n"));
            offsets.add(m.getQueueOffset());
        }
        List<String> want = new ArrayList<>();
        List<Long> dense = new ArrayList<>();
        for (int i = 0; i < 15; i++) {
            want.add("m" + i + "k" + i + "T" + i % 2 + i);
            dense.add((long) i);
        }
        Check.equal(all, want, "bodies, keys, tags, properties in order");
        Check.equal(offsets, dense, "offsets of the inner messages");
        PullResult r = Tools.puller().pull(mq, "*", 0, 32);
        Check.equal(r.getNextBeginOffset(), 15L, "next after a pull of all");
        r = Tools.puller().pull(mq, "*", 12, 32);
        Check.equal(r.getNextBeginOffset(), 15L, "next after a pull from within a batch");
        r = Tools.puller().pull(mq, "*", 15, 32);
        Check.equal(r.getPullStatus() + " " + r.getNextBeginOffset(), "NO_NEW_MSG 15", "at the end");
    }

    private static void batchConsume() throws Exception {
        String topic = Desk.topic("bcqpush", 2, "+queue.type=BatchCQ");
        Inbox in = new Inbox("bcqpush-group").subscribe(topic, "*").start(topic, 2);
        for (int i = 0; i < 60; i += 6) {
            Tools.producer().send(list(topic, i, 6));
        }
        in.has(60, 20);
        Thread.sleep(300);
        Check.equal(in.different().size(), 60, "60 messages of 10 batches");
        Check.equal(in.got.size(), 60, "each once");
        in.commit();
        Thread.sleep(300);
        long sum = in.committed(Tools.queue(topic, 0)) + in.committed(Tools.queue(topic, 1));
        Check.equal(sum, 60L, "committed");
        in.drop();
    }

    private static void batchSingle() throws Exception {
        String topic = Desk.topic("bcqone", 1, "+queue.type=BatchCQ");
        MessageQueue mq = Tools.queue(topic, 0);
        SendResult one = Tools.producer().send(list(topic, 0, 1).get(0), mq);
        Check.equal(one.getSendStatus() + " " + one.getQueueOffset(), "SEND_OK 0", "a single message");
        SendResult two = Tools.producer().send(list(topic, 1, 3), mq);
        Check.equal(two.getQueueOffset(), 1L, "a batch behind it");
        SendResult three = Tools.producer().send(list(topic, 4, 1).get(0), mq);
        Check.equal(three.getQueueOffset(), 4L, "a single message behind that");
        List<String> all = new ArrayList<>();
        for (MessageExt m : Tools.drain(topic, 5, 10)) {
            all.add(m.getQueueOffset() + Tools.body(m));
        }
        Check.equal(all.toString(), "[0m0, 1m1, 2m2, 3m3, 4m4]", "offsets and bodies");
    }

    private static void batchOrderly() throws Exception {
        String topic = Desk.topic("bcqorder", 1, "+queue.type=BatchCQ");
        OrderCases.Watch watch = new OrderCases.Watch();
        Inbox in = watch.consumer("bcqorder-group", topic, 0);
        in.holds(topic, 1, 25);
        for (int i = 0; i < 40; i += 8) {
            Tools.producer().send(list(topic, i, 8), Tools.queue(topic, 0));
        }
        Tools.await(20, () -> watch.count() == 40);
        Check.equal(watch.count(), 40, "40 messages of 5 batches");
        Check.that(watch.wrong.isEmpty(), "in order", watch.wrong);
        in.drop();
    }

    /** The producer gathers what is sent at about one time. */
    private static void autoBatch(String name, boolean batchQueue) throws Exception {
        DefaultMQProducer p = new DefaultMQProducer(Tools.name(name + "-producer"));
        Tools.call(p, "setAutoBatch", true);
        Tools.call(p, "batchMaxDelayMs", 20);
        String topic = batchQueue ? Desk.topic(name, 1, "+queue.type=BatchCQ") : Tools.topic(name, 1);
        p.setNamesrvAddr(Tools.namesrv);
        p.setInstanceName(Tools.instance());
        p.start();
        CountDownLatch done = new CountDownLatch(100);
        TreeSet<String> ids = new TreeSet<>();
        TreeSet<Long> offsets = new TreeSet<>();
        List<Object> wrong = new ArrayList<>();
        for (Message m : list(topic, 0, 100)) {
            p.send(m, new SendCallback() {
                @Override
                public void onSuccess(SendResult r) {
                    synchronized (ids) {
                        ids.add(r.getMsgId());
                        offsets.add(r.getQueueOffset());
                    }
                    done.countDown();
                }

                @Override
                public void onException(Throwable e) {
                    synchronized (ids) {
                        wrong.add(e);
                    }
                    done.countDown();
                }
            });
        }
        Check.that(done.await(15, TimeUnit.SECONDS), "all ended", done.getCount());
        Check.that(wrong.isEmpty(), "all sent", wrong);
        if (!batchQueue) { // else each is told what the whole batch is
            Check.equal(ids.size(), 100, "100 unique ids");
            Check.equal(offsets.size() + " " + (offsets.isEmpty() ? "" : offsets.last()), "100 99",
                "100 offsets");
        }
        SendResult sync = p.send(list(topic, 100, 1).get(0));
        Check.equal(sync.getSendStatus(), SendStatus.SEND_OK, "a sync send");
        TreeSet<String> bodies = new TreeSet<>();
        List<MessageExt> read = Tools.drain(topic, 101, 10);
        for (MessageExt m : read) {
            bodies.add(Tools.body(m));
        }
        Check.equal(read.size() + " " + bodies.size(), "101 101", "read back, each once");
        TreeSet<Long> places = new TreeSet<>();
        for (MessageExt m : read) {
            places.add(m.getCommitLogOffset());
        }
        Check.note(places.size() + " records");
        Check.equal(places.size() < 101, batchQueue, "several messages share a record");
        Tools.endLater(p::shutdown);
    }

    private static MessageQueue lightQueue(String topic, String name) {
        return new MessageQueue("%LMQ%" + Tools.name(name), Tools.queue(topic, 0).getBrokerName(), 0);
    }

    private static void sendLight(String topic, String body, String... queues) throws Exception {
        Message m = Tools.text(topic, body);
        List<String> names = new ArrayList<>();
        for (String q : queues) {
            names.add("%LMQ%" + Tools.name(q));
        }
        Tools.property(m, "INNER_MULTI_DISPATCH", String.join(",", names));
        SendResult r = Tools.producer().send(m);
        Check.equal(r.getSendStatus(), SendStatus.SEND_OK, "sent to " + queues.length + " light queues");
    }

    private static String bodies(MessageQueue mq, long from) throws Exception {
        List<String> all = new ArrayList<>();
        PullResult[] r = new PullResult[1];
        Tools.await(5, () -> {
            try {
                r[0] = Tools.puller().pull(mq, "*", from, 32);
            } catch (Exception e) {
                return false;
            }
            return r[0].getMsgFoundList() != null;
        });
        if (r[0] == null) {
            return String.valueOf(Desk.refusalText(() -> Tools.puller().pull(mq, "*", from, 32)));
        }
        if (r[0].getMsgFoundList() == null) {
            return r[0].getPullStatus().toString();
        }
        for (MessageExt m : r[0].getMsgFoundList()) {
            all.add(Tools.body(m) + "@" + m.getQueueOffset());
        }
        return all + " next " + r[0].getNextBeginOffset();
    }

    /** One record; each light queue counts for itself. */
    private static void light() throws Exception {
        String topic = Tools.topic("lmq", 2);
        sendLight(topic, "one", "lmq-a", "lmq-b");
        sendLight(topic, "two", "lmq-b");
        sendLight(topic, "three", "lmq-a", "lmq-b", "lmq-c");
        Check.equal(bodies(lightQueue(topic, "lmq-c"), 0).replaceAll("@\\d+", ""), "[three] next 1", "c");
        Check.equal(bodies(lightQueue(topic, "lmq-a"), 0).replaceAll("@\\d+", ""),
            "[one, three] next 2", "a");
        Check.equal(bodies(lightQueue(topic, "lmq-b"), 0).replaceAll("@\\d+", ""),
            "[one, two, three] next 3", "b");
        List<MessageExt> all = Tools.drain(topic, 3, 5);
        Check.equal(all.size(), 3, "each once in its own topic");
        String offsets = all.get(0).getProperty("INNER_MULTI_QUEUE_OFFSET");
        Check.that(offsets != null && offsets.matches("\\d+(,\\d+)*"), "INNER_MULTI_QUEUE_OFFSET", offsets);
    }

    private static void lightOffsets() throws Exception {
        String topic = Tools.topic("lmqoff", 1);
        for (int i = 0; i < 5; i++) {
            sendLight(topic, "m" + i, "lmqoff-a");
        }
        MessageQueue mq = lightQueue(topic, "lmqoff-a");
        bodies(mq, 0);
        Check.equal(Tools.puller().maxOffset(mq), 5L, "max");
        Check.equal(Tools.puller().minOffset(mq), 0L, "min");
        Check.equal(bodies(mq, 3).replaceAll("@\\d+", ""), "[m3, m4] next 5", "from offset 3");
        var p = Tools.puller();
        p.updateConsumeOffset(mq, 4);
        p.getOffsetStore().persist(mq);
        String[] seen = {""};
        Check.that(Tools.await(5, () -> {
            try {
                seen[0] = "" + p.fetchConsumeOffset(mq, true);
            } catch (Exception e) {
                seen[0] = e.toString();
            }
            return seen[0].equals("4");
        }), "a committed offset", seen[0]);
    }
}
