package bolide.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.zip.CRC32;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Sending in every way the client knows; what was sent is read back by pull. */
final class SendCases {
    static final Case[] ALL = {
        Case.of("send.sync", SendCases::sync),
        Case.of("send.properties", SendCases::properties),
        Case.of("send.sizes", SendCases::sizes),
        Case.alone("send.async", SendCases::async),
        Case.alone("send.oneway", SendCases::oneway),
        Case.of("send.batch", SendCases::batch),
    };

    private static final int LIMIT = 4 * 1024 * 1024;

    private SendCases() {
    }

    static void sync() throws Exception {
        String topic = Tools.name("auto");
        DefaultMQProducer producer = Tools.producer();
        TreeMap<Integer, List<Long>> offsets = new TreeMap<>();
        boolean allOk = true;
        Set<String> ids = new HashSet<>();
        for (int i = 0; i < 20; i++) {
            SendResult r = producer.send(Tools.text(topic, "sync-" + i));
            allOk &= r.getSendStatus() == SendStatus.SEND_OK;
            ids.add(r.getOffsetMsgId());
            offsets.computeIfAbsent(r.getMessageQueue().getQueueId(), k -> new ArrayList<>())
                .add(r.getQueueOffset());
        }
        Check.that(allOk, "sync: 20 sends to a topic created by the first", offsets);
        List<Long> dense = Arrays.asList(0L, 1L, 2L, 3L, 4L);
        boolean good = offsets.size() == 4;
        for (List<Long> one : offsets.values()) {
            good &= one.equals(dense);
        }
        Check.that(good, "sync: 4 queues in turn, offsets dense from 0", offsets);
        Check.equal(ids.size(), 20, "sync: offset message ids differ");
        List<MessageExt> read = Tools.drain(topic, 20, 5);
        Check.equal(read.size(), 20, "sync: 20 messages read back");
    }

    static void properties() throws Exception {
        String topic = Tools.name("props");
        Tools.createTopic(topic, 1);
        Message sent = new Message(topic, "TagA", "key1 key2", 77, "héllo".getBytes(
            StandardCharsets.UTF_8), true);
        sent.putUserProperty("plain", "value");
        sent.putUserProperty("unicode", "zażółć-漢字-\uD83D\uDE00");
        sent.putUserProperty("spaces and = signs", " a=b;c ");
        long before = System.currentTimeMillis();
        SendResult result = Tools.producer().send(sent);
        long after = System.currentTimeMillis();
        List<MessageExt> all = Tools.drain(topic, 1, 5);
        if (!Check.equal(all.size(), 1, "properties: message read back")) {
            return;
        }
        MessageExt got = all.get(0);
        Check.equal(Tools.body(got), "héllo", "properties: body");
        Check.equal(got.getTags(), "TagA", "properties: tags");
        Check.equal(got.getKeys(), "key1 key2", "properties: keys");
        Check.equal(got.getFlag(), 77, "properties: flag");
        Check.equal(got.getUserProperty("plain"), "value", "properties: plain value");
        Check.equal(got.getUserProperty("unicode"), sent.getUserProperty("unicode"),
            "properties: unicode value");
        Check.equal(got.getUserProperty("spaces and = signs"), " a=b;c ", "properties: odd key");
        Check.equal(got.getMsgId(), result.getMsgId(), "properties: unique id");
        Check.equal(got.getTopic(), topic, "properties: topic");
        Check.equal(got.getQueueOffset(), 0L, "properties: queue offset");
        Check.equal(got.getReconsumeTimes(), 0, "properties: reconsume times");
        Check.that(got.getBornTimestamp() >= before && got.getBornTimestamp() <= after,
            "properties: born time between before and after", got.getBornTimestamp());
        Check.that(got.getStoreTimestamp() >= before && got.getStoreTimestamp() <= after,
            "properties: store time between before and after", got.getStoreTimestamp());
        Check.that(got.getBornHostString().equals("127.0.0.1"), "properties: born host",
            got.getBornHost());
        CRC32 crc = new CRC32();
        crc.update(got.getBody());
        Check.equal(got.getBodyCRC(), (int) (crc.getValue() & 0x7FFFFFFF), "properties: body CRC");
        Set<String> names = new java.util.TreeSet<>(got.getProperties().keySet());
        names.removeAll(Arrays.asList("plain", "unicode", "spaces and = signs"));
        Check.note("property names of a read message: " + names);
        for (String must : Arrays.asList("KEYS", "TAGS", "UNIQ_KEY", "WAIT", "MIN_OFFSET",
            "MAX_OFFSET", "CLUSTER")) {
            Check.that(names.contains(must), "properties: " + must + " is there", names);
        }
    }

    static void sizes() throws Exception {
        String topic = Tools.name("sizes");
        Tools.createTopic(topic, 1);
        DefaultMQProducer plain = Tools.newProducer("plain");
        plain.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        plain.setMaxMessageSize(2 * LIMIT);
        DefaultMQProducer packer = Tools.newProducer("packer");
        int[] sizes = {1, 100, 4095, 4096, 4097, 1 << 20, LIMIT - 1, LIMIT};
        Random random = new Random(1);
        List<byte[]> sent = new ArrayList<>();
        List<Boolean> packed = new ArrayList<>();
        for (int size : sizes) {
            byte[] noise = new byte[size];
            random.nextBytes(noise);
            sent.add(noise);
            packed.add(false);
            SendResult r = plain.send(new Message(topic, noise));
            Check.equal(r.getSendStatus(), SendStatus.SEND_OK, "sizes: send " + size + " bytes");
            byte[] text = new byte[size];
            Arrays.fill(text, (byte) 'x');
            sent.add(text);
            packed.add(size >= packer.getCompressMsgBodyOverHowmuch());
            r = packer.send(new Message(topic, text));
            Check.equal(r.getSendStatus(), SendStatus.SEND_OK,
                "sizes: send " + size + " compressible bytes");
        }
        List<MessageExt> got = Tools.drain(topic, sent.size(), 10);
        Check.equal(got.size(), sent.size(), "sizes: all read back");
        for (int i = 0; i < Math.min(got.size(), sent.size()); i++) {
            MessageExt m = got.get(i);
            // the client clears the flag when it unpacks; the size of the record tells
            boolean small = m.getStoreSize() < sent.get(i).length;
            String name = "sizes: body " + i + " of " + sent.get(i).length + " bytes, "
                + (packed.get(i) ? "stored packed" : "stored as it is");
            Check.that(Arrays.equals(m.getBody(), sent.get(i)) && small == packed.get(i), name,
                m.getBody().length + " bytes, record of " + m.getStoreSize());
        }
        overLimit(topic, plain, packer);
        plain.shutdown();
        packer.shutdown();
    }

    private static void overLimit(String topic, DefaultMQProducer plain, DefaultMQProducer packer)
        throws Exception {
        try {
            plain.send(new Message(topic, new byte[LIMIT + 1]));
            Check.that(false, "sizes: over the limit is refused by the server", "accepted");
        } catch (MQBrokerException e) {
            Check.equal(e.getResponseCode(), 13, "sizes: over the limit is refused with code 13");
            Check.note("remark: " + e.getErrorMessage());
        }
        AtomicReference<Throwable> error = new AtomicReference<>();
        CountDownLatch done = new CountDownLatch(1);
        plain.send(new Message(topic, new byte[LIMIT + 1]), new SendCallback() {
            @Override
            public void onSuccess(SendResult r) {
                done.countDown();
            }

            @Override
            public void onException(Throwable e) {
                error.set(e);
                done.countDown();
            }
        });
        Check.that(done.await(10, TimeUnit.SECONDS), "sizes: async over the limit ends", "no end");
        Check.that(error.get() instanceof MQBrokerException
            && ((MQBrokerException) error.get()).getResponseCode() == 13,
            "sizes: async over the limit is refused with code 13", error.get());
        try {
            packer.send(new Message(topic, new byte[LIMIT + 1]));
            Check.that(false, "sizes: the client's own limit", "accepted");
        } catch (Exception e) {
            Check.that(String.valueOf(e.getMessage()).contains("4194304"),
                "sizes: the client's own limit", e);
        }
        SendResult r = plain.send(new Message(topic, new byte[10]));
        Check.equal(r.getSendStatus(), SendStatus.SEND_OK, "sizes: the connection lives on");
    }

    static void async() throws Exception {
        String topic = Tools.name("async");
        Tools.createTopic(topic, 4);
        int count = 2000;
        CountDownLatch done = new CountDownLatch(count);
        AtomicInteger good = new AtomicInteger();
        AtomicReference<Throwable> error = new AtomicReference<>();
        Semaphore window = new Semaphore(64); // the Java server refuses what waits over 200 ms
        for (int i = 0; i < count; i++) {
            window.acquire();
            Tools.producer().send(Tools.text(topic, "async-" + i), new SendCallback() {
                @Override
                public void onSuccess(SendResult r) {
                    window.release();
                    if (r.getSendStatus() == SendStatus.SEND_OK) {
                        good.incrementAndGet();
                    }
                    done.countDown();
                }

                @Override
                public void onException(Throwable e) {
                    window.release();
                    error.set(e);
                    done.countDown();
                }
            });
        }
        Check.that(done.await(20, TimeUnit.SECONDS), "async: all callbacks came", done.getCount());
        Check.that(good.get() == count, "async: " + count + " sends ok",
            good.get() + " " + error.get());
        readOnce(topic, count, "async");
    }

    static void oneway() throws Exception {
        String topic = Tools.name("oneway");
        Tools.createTopic(topic, 4);
        for (int i = 0; i < 500; i++) {
            Tools.producer().sendOneway(Tools.text(topic, "oneway-" + i));
        }
        readOnce(topic, 500, "oneway");
    }

    static void batch() throws Exception {
        String topic = Tools.name("batch");
        Tools.createTopic(topic, 4);
        List<Message> list = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            Message m = new Message(topic, "tag" + i % 3, "key" + i, ("batch-" + i).getBytes());
            m.putUserProperty("n", "" + i);
            list.add(m);
        }
        MessageQueue mq = new ArrayList<>(Tools.queues(topic)).get(2);
        SendResult r = Tools.producer().send(list, mq);
        Check.equal(r.getSendStatus(), SendStatus.SEND_OK, "batch: sent");
        Check.equal(r.getQueueOffset(), 0L, "batch: offset of the first");
        Check.equal(r.getMsgId().split(",").length, 50, "batch: 50 unique ids");
        Check.equal(r.getOffsetMsgId().split(",").length, 50, "batch: 50 offset message ids");
        SendResult second = Tools.producer().send(list, mq);
        Check.equal(second.getQueueOffset(), 50L, "batch: the next begins at 50");
        List<MessageExt> got = Tools.drain(topic, 100, 5);
        Check.equal(got.size(), 100, "batch: each message is one record");
        boolean same = got.size() == 100;
        for (int i = 0; i < got.size() && same; i++) {
            MessageExt m = got.get(i);
            int n = i % 50;
            same = m.getQueueId() == mq.getQueueId() && m.getQueueOffset() == i
                && Tools.body(m).equals("batch-" + n) && m.getKeys().equals("key" + n)
                && m.getTags().equals("tag" + n % 3) && m.getUserProperty("n").equals("" + n);
        }
        Check.that(same, "batch: bodies, keys, tags and properties in order", got.size());
        MessageExt one = Tools.producer().viewMessage(topic, r.getOffsetMsgId().split(",")[7]);
        Check.equal(Tools.body(one), "batch-7", "batch: an inner message by its offset id");
    }

    /** Each of PREFIX-0 .. PREFIX-(count-1) is in the topic once, and offsets are dense. */
    static void readOnce(String topic, int count, String label) throws Exception {
        List<MessageExt> got = Tools.drain(topic, count, 10);
        Set<String> bodies = new HashSet<>();
        TreeMap<Integer, Long> next = new TreeMap<>();
        boolean dense = true;
        for (MessageExt m : got) {
            bodies.add(Tools.body(m));
            long want = next.getOrDefault(m.getQueueId(), 0L);
            dense &= m.getQueueOffset() == want;
            next.put(m.getQueueId(), want + 1);
        }
        Check.that(got.size() == count && bodies.size() == count,
            label + ": " + count + " messages, each once", got.size() + " read, "
            + bodies.size() + " different");
        Check.that(dense, label + ": queue offsets dense from 0", next);
    }
}
