package bolide.interop;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
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
    private static final ConcurrentHashMap<String, MessageQueue> KNOWN = new ConcurrentHashMap<>();
    private static DefaultMQProducer sharedProducer;
    private static DefaultMQPullConsumer sharedPuller;

    private Tools() {
    }

    static String name(String what) {
        return prefix + "-" + what;
    }

    /** Every client its own instance: own connection, own client id. */
    static String instance() {
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
        return prepare(new DefaultMQPushConsumer(name(group)));
    }

    /** What every push consumer of the tests has; the group is the caller's. */
    static DefaultMQPushConsumer prepare(DefaultMQPushConsumer consumer) {
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName(instance());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setConsumeThreadMin(4);
        consumer.setConsumeThreadMax(4);
        // a client whose heartbeats collide is told for 30 s that its subscription is not the latest
        consumer.setHeartbeatBrokerInterval(2000);
        return consumer;
    }

    /** The enum MessageModel moved to another package in 5.x. */
    static void broadcasting(DefaultMQPushConsumer consumer) throws Exception {
        set(consumer, "messageModel", "BROADCASTING");
    }

    /** Calls a method that not every client version has; a case that needs it is skipped then. */
    static Object call(Object on, String method, Object... args) throws Exception {
        for (Method m : on.getClass().getMethods()) {
            if (m.getName().equals(method) && fits(m.getParameterTypes(), args)) {
                try {
                    m.setAccessible(true);
                    return m.invoke(on, args);
                } catch (InvocationTargetException e) {
                    throw e.getCause() instanceof Exception ? (Exception) e.getCause() : e;
                }
            }
        }
        throw new Case.Skip("this client has no " + on.getClass().getSimpleName() + "." + method);
    }

    private static boolean fits(Class<?>[] types, Object[] args) {
        if (types.length != args.length) {
            return false;
        }
        for (int i = 0; i < types.length; i++) {
            Class<?> boxed = types[i].isPrimitive()
                ? java.lang.invoke.MethodType.methodType(types[i]).wrap().returnType() : types[i];
            if (args[i] != null ? !boxed.isInstance(args[i]) : types[i].isPrimitive()) {
                return false;
            }
        }
        return true;
    }

    /** Sets a bean's property; a name stands for the constant of an enum. */
    static void set(Object bean, String property, Object value) throws Exception {
        String setter = "set" + Character.toUpperCase(property.charAt(0)) + property.substring(1);
        for (Method m : bean.getClass().getMethods()) {
            if (!m.getName().equals(setter) || m.getParameterCount() != 1) {
                continue;
            }
            if (fits(m.getParameterTypes(), new Object[] {value})) {
                m.invoke(bean, value);
                return;
            }
            if (m.getParameterTypes()[0].isEnum()) {
                for (Object one : m.getParameterTypes()[0].getEnumConstants()) {
                    if (one.toString().equals(value)) {
                        m.invoke(bean, one);
                        return;
                    }
                }
            }
        }
        throw new Case.Skip("this client has no " + bean.getClass().getSimpleName() + "." + setter);
    }

    static boolean isClient5() {
        try {
            DefaultMQProducer.class.getMethod("setAutoBatch", boolean.class);
            return true;
        } catch (NoSuchMethodException e) {
            return false;
        }
    }

    /** Ends a client when that is no part of the case: it can take 3 seconds. */
    static void endLater(Runnable shutdown) {
        Thread t = new Thread(shutdown, "end");
        t.setDaemon(true);
        t.start();
    }

    /** The properties that a client's own setters refuse. */
    static Message property(Message m, String name, String value) {
        org.apache.rocketmq.common.message.MessageAccessor.putProperty(m, name, value);
        return m;
    }

    /** Whether a heartbeat's answer has told the client the broker's version. */
    static boolean knowsVersion(org.apache.rocketmq.client.impl.factory.MQClientInstance client,
        String broker) {
        try {
            java.lang.reflect.Field table = client.getClass().getDeclaredField("brokerVersionTable");
            table.setAccessible(true);
            return ((java.util.Map<?, ?>) table.get(client)).containsKey(broker);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The queue with this id. */
    static MessageQueue queue(String topic, int id) {
        for (MessageQueue mq : queues(topic)) {
            if (mq.getQueueId() == id) {
                return mq;
            }
        }
        throw new IllegalStateException(topic + " has no queue " + id);
    }

    /** The queue with this id without asking the name server again. */
    static MessageQueue queue0(String topic, int id) {
        MessageQueue known = KNOWN.computeIfAbsent(topic, k -> queue(k, 0));
        return new MessageQueue(topic, known.getBrokerName(), id);
    }

    /** A new topic with this many queues, under a name that no other case has. */
    static String topic(String what, int queues) throws Exception {
        String topic = name(what);
        createTopic(topic, queues);
        return topic;
    }

    static DefaultLitePullConsumer newLite(String group) {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(name(group));
        consumer.setHeartbeatBrokerInterval(2000);
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
