package bolide.interop;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.Phaser;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** The broker stops and starts once while all these cases are half way. */
final class RestartCases {
    static final Case[] ALL = {
        Case.restart("restart.order", () -> guarded(RestartCases::order)),
        Case.restart("restart.group-goes-on", () -> guarded(RestartCases::group)),
        Case.restart("restart.retry", () -> guarded(RestartCases::retry)),
        Case.restart("restart.delay-level", () -> guarded(() -> delay("rdl", "DELAY", "12"))),
        Case.restart("restart.timer", () -> guarded(() -> delay("rdt", "TIMER_DELAY_SEC", "7"))),
        Case.restart("restart.reset", () -> guarded(RestartCases::reset)),
        Case.restart("restart.sql", () -> guarded(RestartCases::sql)),
        Case.restart("restart.group-settings", () -> guarded(RestartCases::settings)),
        Case.restart("restart.query", () -> guarded(RestartCases::query)),
    };

    private static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in));
    private static Phaser half;

    private RestartCases() {
    }

    /** How many cases the restart waits for. */
    static void expect(List<Case> chosen) {
        int count = 0;
        for (Case c : chosen) {
            count += c.lane == Case.Lane.RESTART ? 1 : 0;
        }
        half = new Phaser(count) {
            @Override
            protected boolean onAdvance(int phase, int parties) {
                if (phase == 0 && parties > 0) {
                    askForRestart();
                }
                return parties == 0;
            }
        };
    }

    private static void askForRestart() {
        synchronized (Main.OUT) {
            Main.OUT.println("restart");
            Main.OUT.flush();
        }
        try {
            IN.readLine();
        } catch (java.io.IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A case that ends early must not keep the others waiting. */
    private static void guarded(Case.Body body) throws Exception {
        try {
            body.run();
        } finally {
            half.arriveAndDeregister();
        }
    }

    private static void restart() {
        half.arriveAndAwaitAdvance();
    }

    /** Sends until it is taken: clients need a moment to find the broker again. */
    private static void send(Message m, MessageQueue mq) throws Exception {
        for (int i = 0; ; i++) {
            try {
                Tools.producer().send(m, mq);
                return;
            } catch (Exception e) {
                if (i == 20) {
                    throw e;
                }
                Thread.sleep(500);
            }
        }
    }

    private static void order() throws Exception {
        String topic = Tools.topic("xorder", 2);
        OrderCases.Watch watch = new OrderCases.Watch();
        Inbox a = watch.consumer("xorder-group", topic, 2);
        a.holds(topic, 2, 25);
        Inbox b = watch.consumer("xorder-group", topic, 2);
        b.holds(topic, 1, 25);
        for (int i = 0; i < 200; i++) {
            Tools.producer().send(Tools.text(topic, String.format("m%04d", i)),
                Tools.queue0(topic, i % 2));
        }
        restart();
        for (int i = 200; i < 400; i++) {
            send(Tools.text(topic, String.format("m%04d", i)), Tools.queue0(topic, i % 2));
        }
        Check.that(Tools.await(50, () -> watch.count() == 400), "400 messages over a restart",
            watch.count());
        Check.that(watch.wrong.isEmpty(), "in order, never two of a queue at once", watch.wrong);
        Check.note("delivered again: " + watch.again);
        a.drop();
        b.drop();
    }

    private static void group() throws Exception {
        String topic = Tools.topic("xgroup", 2);
        Inbox in = new Inbox("xgroup-group").subscribe(topic, "*").start(topic, 2);
        for (int i = 0; i < 100; i++) {
            Tools.producer().send(Tools.text(topic, "m" + i), Tools.queue0(topic, i % 2));
        }
        in.has(100, 15);
        in.commit();
        restart();
        for (int i = 100; i < 200; i++) {
            send(Tools.text(topic, "m" + i), Tools.queue0(topic, i % 2));
        }
        Check.that(Tools.await(50, () -> in.different().size() == 200), "200 messages over a restart",
            in.different().size());
        Thread.sleep(500);
        Check.equal(in.got.size(), 200, "none again: offsets are kept");
        in.close();
        Check.equal(Tools.puller().maxOffset(Tools.queue(topic, 0)), 100L, "offsets go on");
        in.drop();
    }

    private static void retry() throws Exception {
        String topic = Tools.topic("xretry", 1);
        AtomicInteger count = new AtomicInteger();
        Inbox in = new Inbox("xretry-group").says((msgs, context) -> {
            context.setDelayLevelWhenNextConsume(12);
            return count.incrementAndGet() == 1 ? ConsumeConcurrentlyStatus.RECONSUME_LATER : null;
        }).subscribe(topic, "*").start();
        in.knowsRetries();
        in.holds(topic, 1, 20);
        Tools.producer().send(Tools.text(topic, "later"));
        in.has(1, 15);
        Thread.sleep(500);
        restart();
        Check.that(in.has(2, 60), "what waits for a retry comes after the restart", in.got);
        Check.equal(in.got.toString(), "[later(0), later(1)]", "once");
        in.drop();
    }

    private static void delay(String name, String property, String value) throws Exception {
        String topic = Tools.topic(name, 1);
        long sent = System.currentTimeMillis();
        for (int i = 0; i < 5; i++) {
            Tools.producer().send(Tools.property(Tools.text(topic, "m" + i), property, value));
        }
        restart();
        List<MessageExt> all = Tools.drain(topic, 5, 40);
        TreeSet<String> bodies = new TreeSet<>();
        for (MessageExt m : all) {
            bodies.add(Tools.body(m));
            Check.that(m.getStoreTimestamp() - sent > 5900, "not early", m.getStoreTimestamp() - sent);
        }
        Check.equal(bodies.size() + " of " + all.size(), "5 of 5", "each once");
    }

    private static void reset() throws Exception {
        String topic = Tools.topic("xreset", 1);
        Inbox in = new Inbox("xreset-group").subscribe(topic, "*").start(topic, 1);
        for (int i = 0; i < 10; i++) {
            Tools.producer().send(Tools.text(topic, "m" + i));
        }
        in.has(10, 15);
        in.close();
        restart();
        Tools.await(20, () -> {
            try {
                Desk.admin().resetOffsetByTimestamp(topic, Tools.name("xreset-group"), 0, true);
                return true;
            } catch (Exception e) {
                return false;
            }
        });
        Inbox next = new Inbox("xreset-group").subscribe(topic, "*").start(topic, 1);
        next.holds(topic, 1, 1);
        Check.that(ResetCases.again(next, topic, 10, 45), "a reset after a restart", next.got.size());
        next.drop();
    }

    private static void sql() throws Exception {
        String topic = Tools.topic("xsql", 1);
        Inbox in = new Inbox("xsql-group").subscribe(topic,
            org.apache.rocketmq.client.consumer.MessageSelector.bySql("n > 5")).start(topic, 1);
        restart();
        for (int i = 0; i < 10; i++) {
            Message m = Tools.text(topic, "m" + i);
            m.putUserProperty("n", "" + i);
            send(m, Tools.queue0(topic, 0));
        }
        in.has(4, 60);
        Check.equal(in.different().toString(), "[m6, m7, m8, m9]", "an expression outlives the broker");
        in.drop();
    }

    private static void settings() throws Exception {
        String group = Tools.name("xsettings-group");
        Desk.group(group, "retryMaxTimes", 3, "consumeEnable", false, "retryQueueNums", 2);
        restart();
        String[] seen = {""};
        Tools.await(20, () -> {
            try {
                var config = Desk.admin().examineSubscriptionGroupConfig(Desk.broker(), group);
                seen[0] = config.getRetryMaxTimes() + " " + config.isConsumeEnable() + " "
                    + config.getRetryQueueNums();
                return true;
            } catch (Exception e) {
                seen[0] = e.toString();
                return false;
            }
        });
        Check.equal(seen[0], "3 false 2", "a group's settings are kept");
    }

    private static void query() throws Exception {
        String topic = Tools.topic("xquery", 1);
        Message m = Tools.text(topic, "kept");
        m.setKeys("xkey");
        var sent = Tools.producer().send(m);
        restart();
        Check.that(Tools.await(30, () -> {
            try {
                return Tools.producer().queryMessage(topic, "xkey", 8, 0, Long.MAX_VALUE)
                    .getMessageList().size() == 1;
            } catch (Exception e) {
                return false;
            }
        }), "found by key after a restart", "not");
        Check.equal(Tools.body(Tools.producer().viewMessage(topic, sent.getOffsetMsgId())), "kept",
            "and by its offset id");
    }
}
