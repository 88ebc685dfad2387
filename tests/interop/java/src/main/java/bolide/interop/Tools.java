package bolide.interop;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Clients with one name server, and the few steps that many cases take. */
final class Tools {
    static String namesrv;
    /** Makes topic and group names of this run different from those of another run. */
    static String prefix = "t";
    private static final AtomicInteger SERIAL = new AtomicInteger();
    private static DefaultMQProducer sharedProducer;
    private static DefaultMQPullConsumer sharedPuller;

    private Tools() {
    }

    static String name(String what) {
        return prefix + "-" + what;
    }

    /** Every client its own instance: own connection, own client id. */
    private static String instance() {
        return "i" + SERIAL.incrementAndGet();
    }

    static DefaultMQProducer newProducer(String group) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(name(group));
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName(instance());
        producer.setSendMsgTimeout(10000);
        producer.start();
        return producer;
    }

    static synchronized DefaultMQProducer producer() throws Exception {
        if (sharedProducer == null) {
            sharedProducer = newProducer("producer");
        }
        return sharedProducer;
    }

    static synchronized DefaultMQPullConsumer puller() throws Exception {
        if (sharedPuller == null) {
            sharedPuller = new DefaultMQPullConsumer(name("puller"));
            sharedPuller.setNamesrvAddr(namesrv);
            sharedPuller.setInstanceName(instance());
            sharedPuller.start();
        }
        return sharedPuller;
    }

    static DefaultMQPushConsumer newPush(String group) {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(name(group));
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName(instance());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setConsumeThreadMin(4);
        consumer.setConsumeThreadMax(4);
        return consumer;
    }

    /** The enum MessageModel moved to another package in 5.x. */
    static void broadcasting(DefaultMQPushConsumer consumer) throws Exception {
        for (Method m : DefaultMQPushConsumer.class.getMethods()) {
            if (m.getName().equals("setMessageModel")) {
                for (Object model : m.getParameterTypes()[0].getEnumConstants()) {
                    if (model.toString().equals("BROADCASTING")) {
                        m.invoke(consumer, model);
                        return;
                    }
                }
            }
        }
        throw new NoSuchMethodException("setMessageModel");
    }

    static DefaultLitePullConsumer newLite(String group) {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(name(group));
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName(instance());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        return consumer;
    }

    /** createTopic has another signature in 5.x than in 4.x; both ask the brokers of topic TBW102. */
    static void createTopic(String topic, int queues) throws Exception {
        DefaultMQProducer producer = producer();
        try {
            for (Method m : DefaultMQProducer.class.getMethods()) {
                if (!m.getName().equals("createTopic")) {
                    continue;
                }
                Class<?>[] types = m.getParameterTypes();
                if (types.length == 3) {
                    m.invoke(producer, "TBW102", topic, queues);
                    break;
                }
                if (types.length == 4 && types[3] == java.util.Map.class) {
                    m.invoke(producer, "TBW102", topic, queues, new HashMap<String, String>());
                    break;
                }
            }
        } catch (InvocationTargetException e) {
            throw (Exception) e.getCause();
        }
        await(10, () -> queues(topic).size() == queues);
    }

    /** The topic's queues that can be read; empty while the name server does not know it. */
    static List<MessageQueue> queues(String topic) {
        try {
            return new ArrayList<>(new java.util.TreeSet<>(
                puller().fetchSubscribeMessageQueues(topic)));
        } catch (Exception e) {
            return new ArrayList<>();
        }
    }

    static boolean await(int seconds, BooleanSupplier what) throws InterruptedException {
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        while (!what.getAsBoolean()) {
            if (System.nanoTime() > end) {
                return false;
            }
            Thread.sleep(20);
        }
        return true;
    }

    /** All messages of the topic's queues in queue order, once at least this many are there. */
    static List<MessageExt> drain(String topic, int atLeast, int seconds) throws Exception {
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        TreeMap<MessageQueue, Long> next = new TreeMap<>();
        TreeMap<MessageQueue, List<MessageExt>> found = new TreeMap<>();
        int count = 0;
        while (true) {
            for (MessageQueue mq : queues(topic)) {
                long at = next.getOrDefault(mq, 0L);
                long max = puller().maxOffset(mq);
                while (at < max) {
                    PullResult r = puller().pull(mq, "*", at, 32);
                    if (r.getMsgFoundList() != null) {
                        found.computeIfAbsent(mq, k -> new ArrayList<>()).addAll(r.getMsgFoundList());
                        count += r.getMsgFoundList().size();
                    }
                    if (r.getNextBeginOffset() <= at) {
                        break;
                    }
                    at = r.getNextBeginOffset();
                }
                next.put(mq, at);
            }
            if (count >= atLeast || System.nanoTime() > end) {
                break;
            }
            Thread.sleep(50);
        }
        List<MessageExt> all = new ArrayList<>();
        for (Collection<MessageExt> list : found.values()) {
            all.addAll(list);
        }
        return all;
    }

    static Message text(String topic, String body) {
        return new Message(topic, body.getBytes(StandardCharsets.UTF_8));
    }

    static String body(MessageExt m) {
        return new String(m.getBody(), StandardCharsets.UTF_8);
    }

    static void shutdown() {
        if (sharedProducer != null) {
            sharedProducer.shutdown();
        }
        if (sharedPuller != null) {
            sharedPuller.shutdown();
        }
    }
}
