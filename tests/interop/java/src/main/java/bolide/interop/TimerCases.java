package bolide.interop;

import java.util.List;
import java.util.TreeMap;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Delays of any length: TIMER_DELAY_SEC, TIMER_DELAY_MS, TIMER_DELIVER_MS, and what takes them back. */
final class TimerCases {
    static final Case[] ALL = {
        Case.of("timer.delay-sec", () -> delay("tsec", "TIMER_DELAY_SEC", 2, 2000)),
        Case.of("timer.delay-ms", () -> delay("tms", "TIMER_DELAY_MS", 2500, 2500)),
        Case.of("timer.deliver-ms", TimerCases::deliver),
        Case.of("timer.never-early", TimerCases::early),
        Case.of("timer.to-the-millisecond", TimerCases::precise),
        Case.of("timer.past", TimerCases::past),
        Case.of("timer.refused", TimerCases::refused),
        Case.of("timer.keeps-everything", TimerCases::keeps),
        Case.of("timer.with-level", TimerCases::withLevel),
        Case.of("timer.recall", TimerCases::recall),
        Case.of("timer.recall-refused", TimerCases::recallRefused),
    };

    private TimerCases() {
    }

    private static Message timed(String topic, String body, String property, long value) {
        return Tools.property(Tools.text(topic, body), property, "" + value);
    }

    private static long late(String topic, long due) throws Exception {
        List<MessageExt> all = Tools.drain(topic, 1, 20);
        return Check.equal(all.size(), 1, "arrives") ? all.get(0).getStoreTimestamp() - due : -99999;
    }

    private static void delay(String name, String property, long value, long ms) throws Exception {
        String topic = Tools.topic(name, 1);
        long due = System.currentTimeMillis() + ms;
        SendResult r = Tools.producer().send(timed(topic, "timed", property, value));
        Check.equal(r.getSendStatus(), SendStatus.SEND_OK, "sent");
        long late = late(topic, due);
        Check.that(late > -1100 && late < 2500, "when it is due", late + " ms late");
    }

    private static void deliver() throws Exception {
        String topic = Tools.topic("tdeliver", 1);
        long due = System.currentTimeMillis() + 3000;
        Message m = Tools.text(topic, "timed");
        if (Tools.isClient5()) {
            Tools.call(m, "setDeliverTimeMs", due);
        } else {
            Tools.property(m, "TIMER_DELIVER_MS", "" + due);
        }
        Tools.producer().send(m);
        long late = late(topic, due);
        Check.that(late > -1100 && late < 2500, "when it is due", late + " ms late");
    }

    private static TreeMap<String, Long> lateness(String name) throws Exception {
        String topic = Tools.topic(name, 1);
        TreeMap<String, Long> due = new TreeMap<>();
        for (int i = 0; i < 10; i++) {
            long ms = System.currentTimeMillis() + 1500 + i * 337;
            due.put("" + i, ms);
            Tools.producer().send(timed(topic, "" + i, "TIMER_DELIVER_MS", ms));
        }
        TreeMap<String, Long> late = new TreeMap<>();
        for (MessageExt m : Tools.drain(topic, 10, 20)) {
            late.put(Tools.body(m), m.getStoreTimestamp() - due.get(Tools.body(m)));
        }
        Check.equal(late.size(), 10, "10 arrive");
        return late;
    }

    /** A Java broker rounds down to the second before. */
    private static void early() throws Exception {
        TreeMap<String, Long> late = lateness("tearly");
        boolean none = true;
        for (long ms : late.values()) {
            none &= ms >= 0;
        }
        Check.that(none, "none is early", late);
    }

    private static void precise() throws Exception {
        TreeMap<String, Long> late = lateness("tprecise");
        boolean good = true;
        for (long ms : late.values()) {
            good &= ms >= 0 && ms <= 100; // the test machine is busy; the promise is 5 ms
        }
        Check.that(good, "all within 100 ms after they are due", late);
    }

    private static void past() throws Exception {
        String topic = Tools.topic("tpast", 1);
        long now = System.currentTimeMillis();
        Tools.producer().send(timed(topic, "past", "TIMER_DELIVER_MS", now - 5000));
        List<MessageExt> all = Tools.drain(topic, 1, 4);
        Check.equal(all.size(), 1, "a time that is over is now");
        Tools.producer().send(timed(topic, "zero", "TIMER_DELAY_MS", 0));
        all = Tools.drain(topic, 2, 4);
        Check.equal(all.size(), 2, "so is a delay of 0");
    }

    private static void refused() throws Exception {
        String topic = Tools.topic("tbad", 1);
        String[][] table = {
            {"TIMER_DELIVER_MS", "soon"}, {"TIMER_DELAY_SEC", "x"}, {"TIMER_DELAY_MS", "1.5"},
        };
        for (String[] row : table) {
            Message m = Tools.property(Tools.text(topic, "bad"), row[0], row[1]);
            Check.equal(Desk.refusal(() -> Tools.producer().send(m)), 13, row[0] + "=" + row[1]);
        }
        Message far = timed(topic, "far", "TIMER_DELAY_SEC", 400L * 24 * 3600 * 1000);
        Check.equal(Desk.refusal(() -> Tools.producer().send(far)), 13, "beyond the limit");
        Thread.sleep(1500);
        Check.equal(Tools.drain(topic, 0, 0).size(), 0, "nothing is stored");
    }

    private static void keeps() throws Exception {
        String topic = Tools.topic("tkeeps", 4);
        Message m = new Message(topic, "TagT", "key-t", 5, "kept".getBytes(), true);
        m.putUserProperty("colour", "red");
        Tools.property(m, "TIMER_DELAY_MS", "1200");
        SendResult sent = Tools.producer().send(m, Tools.queue(topic, 3));
        List<MessageExt> all = Tools.drain(topic, 1, 15);
        if (!Check.equal(all.size(), 1, "arrives")) {
            return;
        }
        MessageExt got = all.get(0);
        Check.equal(got.getMsgId(), sent.getMsgId(), "unique id");
        Check.equal(got.getTags() + " " + got.getKeys() + " " + got.getFlag() + " " + Tools.body(got),
            "TagT key-t 5 kept", "tags, keys, flag, body");
        Check.equal(got.getUserProperty("colour"), "red", "user property");
        Check.equal(got.getQueueId() + " " + got.getQueueOffset(), "3 0", "queue and offset");
        Check.equal(got.getProperty("REAL_TOPIC") + " " + got.getProperty("REAL_QID"), topic + " 3",
            "REAL_TOPIC and REAL_QID");
        Check.that(got.getProperty("TIMER_OUT_MS") != null, "TIMER_OUT_MS", got.getProperties());
        MessageExt found = Tools.producer().viewMessage(topic, sent.getMsgId());
        Check.that(found != null && Tools.body(found).equals("kept"), "found by its unique id", found);
    }

    /** A level and a timer: which of them counts. */
    private static void withLevel() throws Exception {
        String topic = Tools.topic("tboth", 1);
        Message m = timed(topic, "both", "TIMER_DELAY_SEC", 6);
        m.setDelayTimeLevel(1);
        long sent = System.currentTimeMillis();
        int code = Desk.refusal(() -> Tools.producer().send(m));
        Check.equal(code, 0, "sent");
        List<MessageExt> all = Tools.drain(topic, 1, 15);
        long after = all.isEmpty() ? -1 : all.get(0).getStoreTimestamp() - sent;
        Check.that(after > 0 && after < 4500, "the level counts", after);
    }

    private static void recall() throws Exception {
        String topic = Tools.topic("trecall", 1);
        SendResult kept = Tools.producer().send(timed(topic, "kept", "TIMER_DELAY_MS", 4000));
        SendResult sent = Tools.producer().send(timed(topic, "recalled", "TIMER_DELAY_MS", 4000));
        Object handle = Tools.call(sent, "getRecallHandle");
        Check.that(handle != null && !handle.equals(Tools.call(kept, "getRecallHandle")),
            "a handle of its own", handle);
        Object id = Tools.call(Tools.producer(), "recallMessage", topic, handle);
        Check.equal(id, sent.getMsgId(), "the answer names the message");
        List<MessageExt> all = Tools.drain(topic, 1, 12);
        Thread.sleep(2000);
        all = Tools.drain(topic, 1, 1);
        Check.equal(all.size() + " " + (all.isEmpty() ? "" : Tools.body(all.get(0))), "1 kept",
            "only the other arrives");
    }

    private static void recallRefused() throws Exception {
        String topic = Tools.topic("trefuse", 1);
        int code = Desk.refusal(() -> Tools.call(Tools.producer(), "recallMessage", topic, "nonsense"));
        Check.that(code != 0, "a handle that is none", code);
        SendResult plain = Tools.producer().send(Tools.text(topic, "plain"));
        Check.equal(Tools.call(plain, "getRecallHandle"), null, "a plain message has no handle");
    }
}
