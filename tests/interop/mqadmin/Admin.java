import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * Runs many mqadmin commands in one JVM: a line of standard input is a command, its words parted by
 * tabs; the answer is "LENGTH\n" and that many bytes, what the command printed. Besides mqadmin's own:
 * "@send TOPIC COUNT", "@traced TOPIC", "@consumer GROUP TOPIC" (one that stays), "@stop [GROUP]" (that, or all of them).
 */
public class Admin {
    private static final Map<String, DefaultMQPushConsumer> CONSUMERS = new HashMap<>();
    private static DefaultMQProducer producer;

    public static void main(String[] args) throws Exception {
        PrintStream real = System.out;
        hasten(Thread.currentThread());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in,
            StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            PrintStream out = new PrintStream(bytes, true, "UTF-8");
            System.setOut(out);
            System.setErr(out);
            try {
                run(line.split("\t"));
            } catch (Throwable e) {
                e.printStackTrace(out);
            }
            out.flush();
            real.println(bytes.size());
            bytes.writeTo(real);
            real.flush();
        }
        System.exit(0);
    }

    /**
     * A client's shutdown waits for a thread that sleeps up to 3 s on an empty queue, once a command.
     * Waking that thread while we wait for it changes nothing else.
     */
    private static void hasten(Thread main) {
        Thread t = new Thread(() -> {
            while (true) {
                boolean waits = false;
                for (StackTraceElement e : main.getStackTrace()) {
                    waits |= e.getClassName().endsWith("ServiceThread")
                        && e.getMethodName().equals("shutdown");
                }
                for (Thread other : Thread.getAllStackTraces().keySet()) {
                    if (waits && other.getName().startsWith("NettyEventExecutor")) {
                        other.interrupt();
                    }
                }
                try {
                    Thread.sleep(20);
                } catch (InterruptedException e) {
                    return;
                }
            }
        });
        t.setDaemon(true);
        t.start();
    }

    private static void run(String[] words) throws Exception {
        switch (words[0]) {
            case "@send":
                send(words[1], Integer.parseInt(words[2]));
                break;
            case "@traced":
                traced(words[1]);
                break;
            case "@consumer":
                consume(words[1], words[2]);
                break;
            case "@stop":
                for (String group : new ArrayList<>(CONSUMERS.keySet())) {
                    if (words.length == 1 || words[1].equals(group)) {
                        CONSUMERS.remove(group).shutdown();
                    }
                }
                break;
            default:
                Thread.sleep(2); // mqadmin names its client after the millisecond
                MQAdminStartup.main0(words, null);
        }
    }

    /** Sends to the queues in turn from the first; prints offset id and unique id of each. */
    private static void send(String topic, int count) throws Exception {
        if (producer == null) {
            producer = new DefaultMQProducer("AdminProducer");
            producer.start();
        }
        List<MessageQueue> queues = producer.fetchPublishMessageQueues(topic);
        queues.sort(null);
        for (int i = 0; i < count; i++) {
            Message m = new Message(topic, "TagA", "key" + i, ("body " + i).getBytes());
            m.putUserProperty("colour", "blue");
            SendResult r = producer.send(m, queues.get(i % queues.size()));
            System.out.println(r.getOffsetMsgId() + " " + r.getMsgId());
        }
    }

    /** Sends with message trace; prints the unique id. */
    private static void traced(String topic) throws Exception {
        DefaultMQProducer p = new DefaultMQProducer("AdminTraced", true, null);
        p.setInstanceName("admin-test");
        p.start();
        System.out.println(p.send(new Message(topic, "TagB", "tracekey", "traced".getBytes())).getMsgId());
    }

    private static void consume(String group, String topic) throws Exception {
        DefaultMQPushConsumer c = new DefaultMQPushConsumer(group);
        c.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        c.setInstanceName("admin-test");
        c.setPersistConsumerOffsetInterval(500);
        c.setHeartbeatBrokerInterval(2000); // heartbeats that collide are made up for only by the next
        c.subscribe(topic, "TagA");
        c.registerMessageListener((MessageListenerConcurrently) (msgs, context) ->
            ConsumeConcurrentlyStatus.CONSUME_SUCCESS);
        c.start();
        CONSUMERS.put(group, c);
    }
}
