package bolide.interop;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.exception.RequestTimeoutException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.message.Message;

/** Requests and replies over topics. */
final class RequestCases {
    static final Case[] ALL = {
        Case.of("request.sync", RequestCases::sync),
        Case.of("request.async", RequestCases::async),
        Case.of("request.many-at-once", RequestCases::many),
        Case.of("request.nobody-answers", RequestCases::timeout),
        Case.of("request.requester-has-left", RequestCases::left),
    };

    private RequestCases() {
    }

    /** A consumer that answers each request with "re: " and the request's body. */
    private static Inbox responder(String name, String topic, AtomicReference<Object> said)
        throws Exception {
        DefaultMQProducer answers = Tools.newProducer(name + "-answers");
        return new Inbox(name + "-group").says((msgs, context) -> {
            for (var m : msgs) {
                try {
                    Message reply = MessageUtil.createReplyMessage(m,
                        ("re: " + Tools.body(m)).getBytes());
                    reply.putUserProperty("mood", "good");
                    SendResult r = answers.send(reply, 3000);
                    said.set(r.getSendStatus());
                } catch (MQClientException e) {
                    said.set(e.getCause() instanceof MQBrokerException
                        ? ((MQBrokerException) e.getCause()).getResponseCode() : e);
                } catch (MQBrokerException e) {
                    said.set(e.getResponseCode());
                } catch (Exception e) {
                    said.set(e);
                }
            }
            return null;
        }).subscribe(topic, "*").start(topic, 2);
    }

    private static void sync() throws Exception {
        String topic = Tools.topic("rpc", 2);
        AtomicReference<Object> said = new AtomicReference<>();
        Inbox in = responder("rpc", topic, said);
        DefaultMQProducer asks = Tools.newProducer("rpc-asks");
        Message reply = asks.request(Tools.text(topic, "question"), 10000);
        Check.equal(new String(reply.getBody()), "re: question", "the answer");
        Check.equal(reply.getProperty("mood"), "good", "a property of it");
        Check.equal(reply.getProperty("MSG_TYPE"), "reply", "MSG_TYPE");
        Check.that(reply.getProperty("CORRELATION_ID") != null, "CORRELATION_ID", reply.getProperties());
        Check.equal(reply.getTopic(), "DefaultCluster_REPLY_TOPIC", "topic of the answer");
        Check.that(reply.getProperty("PUSH_REPLY_TIME") != null, "PUSH_REPLY_TIME",
            reply.getProperties());
        Check.that(reply.getProperty("ARRIVE_TIME") != null, "ARRIVE_TIME", reply.getProperties());
        Tools.await(3, () -> said.get() != null);
        Check.equal(String.valueOf(said.get()), "SEND_OK", "what the answerer was told");
        var question = in.got.get(0).properties;
        Check.that(question.get("REPLY_TO_CLIENT") != null && "10000".equals(question.get("TTL"))
            && "DefaultCluster".equals(question.get("CLUSTER")), "what the answerer sees", question);
        Tools.endLater(asks::shutdown);
        in.drop();
    }

    private static void async() throws Exception {
        String topic = Tools.topic("rpcasync", 2);
        Inbox in = responder("rpcasync", topic, new AtomicReference<>());
        DefaultMQProducer asks = Tools.newProducer("rpcasync-asks");
        CountDownLatch done = new CountDownLatch(1);
        AtomicReference<Object> got = new AtomicReference<>();
        asks.request(Tools.text(topic, "later"), new RequestCallback() {
            @Override
            public void onSuccess(Message message) {
                got.set(new String(message.getBody()));
                done.countDown();
            }

            @Override
            public void onException(Throwable e) {
                got.set(e);
                done.countDown();
            }
        }, 10000);
        Check.that(done.await(12, TimeUnit.SECONDS), "an end", "none");
        Check.equal(got.get(), "re: later", "the answer");
        Tools.endLater(asks::shutdown);
        in.drop();
    }

    private static void many() throws Exception {
        String topic = Tools.topic("rpcmany", 2);
        Inbox in = responder("rpcmany", topic, new AtomicReference<>());
        DefaultMQProducer asks = Tools.newProducer("rpcmany-asks");
        ConcurrentSkipListSet<String> answers = new ConcurrentSkipListSet<>();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            int base = t * 10;
            Thread thread = new Thread(() -> {
                for (int i = base; i < base + 10; i++) {
                    try {
                        Message reply = asks.request(Tools.text(topic, "q" + i), 10000);
                        if (new String(reply.getBody()).equals("re: q" + i)) {
                            answers.add("q" + i);
                        }
                    } catch (Exception e) {
                        answers.add(e.toString());
                    }
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        TreeSet<String> want = new TreeSet<>();
        for (int i = 0; i < 40; i++) {
            want.add("q" + i);
        }
        Check.equal(answers.toString(), want.toString(), "40 answers, each to its own question");
        Tools.endLater(asks::shutdown);
        in.drop();
    }

    private static void timeout() throws Exception {
        String topic = Tools.topic("rpcnobody", 1);
        DefaultMQProducer asks = Tools.newProducer("rpcnobody-asks");
        long start = System.nanoTime();
        try {
            Message reply = asks.request(Tools.text(topic, "hello?"), 1500);
            Check.that(false, "no answer", reply);
        } catch (RequestTimeoutException e) {
            Check.that(true, "no answer", e);
        }
        long ms = (System.nanoTime() - start) / 1000000;
        Check.that(ms >= 1400 && ms < 6000, "after its time", ms);
        Tools.endLater(asks::shutdown);
    }

    /** The answer finds nobody: the answerer is told. */
    private static void left() throws Exception {
        String topic = Tools.topic("rpcleft", 2);
        AtomicReference<Object> said = new AtomicReference<>();
        Message m = Tools.text(topic, "who?");
        Tools.property(m, "CORRELATION_ID", "c-1");
        Tools.property(m, "REPLY_TO_CLIENT", "1.2.3.4@nobody");
        Tools.property(m, "TTL", "3000");
        Tools.producer().send(m);
        Inbox in = responder("rpcleft", topic, said);
        Tools.await(15, () -> said.get() != null);
        Check.equal(said.get(), 1, "the answerer is told with code 1");
        in.drop();
    }
}
