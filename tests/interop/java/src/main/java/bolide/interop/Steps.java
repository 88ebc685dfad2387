package bolide.interop;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Single steps for tests that start and stop servers in between. Topic names are taken as given. */
final class Steps {
    private Steps() {
    }

    /** Steps from standard input until its end. */
    static void serve() throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                run(line.split(" "));
                System.out.println("done");
            } catch (Exception e) {
                e.printStackTrace();
                System.out.println("failed " + String.valueOf(e).replace('\n', ' '));
            }
            System.out.flush();
        }
    }

    static void run(String[] args) throws Exception {
        switch (args[0]) {
            case "produce":
                produce(args[1], Integer.parseInt(args[2]), Integer.parseInt(args[3]),
                    Integer.parseInt(args[4]));
                break;
            case "dump":
                for (int i = 1; i < args.length; i++) {
                    dump(args[i]);
                }
                break;
            case "consume":
                consume(args[1], args[2], Integer.parseInt(args[3]));
                break;
            case "offsets":
                offsets(args[1], args[2]);
                break;
            default:
                throw new IllegalArgumentException(args[0]);
        }
    }

    static String body(int n) {
        StringBuilder text = new StringBuilder("body-" + n + "-");
        while (text.length() < 16 + n % 300) {
            text.append((char) ('a' + (n + text.length()) % 26));
        }
        return text.toString();
    }

    /** Message n has key kN, tag tag(n mod 5), and a body made of n; 80 of 100 go in batches of 10. */
    private static void produce(String topic, int queues, int first, int count) throws Exception {
        if (queues > 0) {
            Tools.createTopic(topic, queues);
        }
        List<Message> batch = new ArrayList<>();
        int acked = 0;
        for (int n = first; n < first + count; n++) {
            Message m = new Message(topic, "tag" + n % 5, "k" + n, body(n).getBytes());
            m.putUserProperty("n", "" + n);
            if (n % 100 < 80) {
                batch.add(m);
                if (batch.size() < 10 && n + 1 < first + count && n % 100 != 79) {
                    continue;
                }
                SendResult r = Tools.producer().send(new ArrayList<>(batch));
                acked += r.getSendStatus() == SendStatus.SEND_OK ? batch.size() : 0;
                batch.clear();
            } else {
                acked += Tools.producer().send(m).getSendStatus() == SendStatus.SEND_OK ? 1 : 0;
            }
        }
        System.out.println("acked " + acked);
    }

    /** One line per message, in queue order. */
    private static void dump(String topic) throws Exception {
        for (MessageQueue mq : Tools.queues(topic)) {
            System.out.println("queue " + topic + " " + mq.getBrokerName() + " " + mq.getQueueId()
                + " min " + Tools.puller().minOffset(mq) + " max " + Tools.puller().maxOffset(mq));
        }
        for (MessageExt m : Tools.drain(topic, 0, 10)) {
            CRC32 crc = new CRC32();
            crc.update(m.getBody());
            int n = Integer.parseInt(m.getUserProperty("n"));
            boolean good = Tools.body(m).equals(body(n)) && ("k" + n).equals(m.getKeys())
                && ("tag" + n % 5).equals(m.getTags());
            System.out.println("message " + topic + " " + m.getQueueId() + " " + m.getQueueOffset()
                + " " + m.getKeys() + " " + crc.getValue() + " " + m.getStoreTimestamp() + " "
                + m.getMsgId() + " " + m.getCommitLogOffset() + " " + (good ? "good" : "BAD"));
        }
    }

    /** A clustering consumer until COUNT different messages came or 60 s; offsets are committed. */
    private static void consume(String topic, String group, int count) throws Exception {
        ConcurrentHashMap<String, Integer> seen = new ConcurrentHashMap<>();
        AtomicInteger total = new AtomicInteger();
        DefaultMQPushConsumer c = Tools.newPush("x");
        c.setConsumerGroup(group);
        c.setConsumeMessageBatchMaxSize(32);
        c.subscribe(topic, "*");
        c.registerMessageListener((MessageListenerConcurrently) (msgs, context) -> {
            for (MessageExt m : msgs) {
                seen.merge(m.getKeys(), 1, Integer::sum);
                total.incrementAndGet();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        c.start();
        Tools.await(60, () -> seen.size() >= count);
        Thread.sleep(500);
        c.shutdown();
        System.out.println("consumed " + seen.size() + " different, " + total.get() + " in all");
    }

    private static void offsets(String topic, String group) throws Exception {
        DefaultMQPullConsumer c = new DefaultMQPullConsumer(group);
        c.setNamesrvAddr(Tools.namesrv);
        c.setInstanceName("offsets");
        c.start();
        for (MessageQueue mq : Tools.queues(topic)) {
            System.out.println("offset " + topic + " " + mq.getQueueId() + " "
                + c.fetchConsumeOffset(mq, true));
        }
        c.shutdown();
    }
}
