package bolide.interop;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.client.QueryResult;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.tools.admin.api.MessageTrack;

/** Messages that are looked for. */
final class QueryCases {
    static final Case[] ALL = {
        Case.of("query.by-key", QueryCases::byKey),
        Case.of("query.by-unique-key", QueryCases::byUniqueKey),
        Case.of("query.by-offset-id", QueryCases::byOffsetId),
        Case.of("query.in-a-time-range", QueryCases::byTime),
        Case.of("query.at-most", QueryCases::atMost),
        Case.of("query.odd-keys", QueryCases::oddKeys),
        Case.of("query.of-another-topic", QueryCases::anotherTopic),
        Case.of("query.message-track", QueryCases::track),
        Case.of("query.track-broadcasting", QueryCases::trackBroadcast),
    };

    private QueryCases() {
    }

    /** How many messages are found, once as many as wanted are or 5 s are over. */
    private static int found(String topic, String key, int max, long from, long to, int want)
        throws Exception {
        int[] count = {0};
        Tools.await(want == 0 ? 0 : 5, () -> {
            try {
                QueryResult r = Tools.producer().queryMessage(topic, key, max, from, to);
                count[0] = r.getMessageList().size();
            } catch (Exception e) {
                count[0] = 0;
            }
            return count[0] == want;
        });
        return count[0];
    }

    private static void byKey() throws Exception {
        String topic = Tools.topic("qkey", 3);
        for (int i = 0; i < 9; i++) {
            Message m = Tools.text(topic, "m" + i);
            m.setKeys("all third" + i % 3 + " own" + i);
            Tools.producer().send(m);
        }
        Check.equal(found(topic, "all", 32, 0, Long.MAX_VALUE, 9), 9, "a key of all");
        Check.equal(found(topic, "third1", 32, 0, Long.MAX_VALUE, 3), 3, "a key of some");
        Check.equal(found(topic, "own4", 32, 0, Long.MAX_VALUE, 1), 1, "a key of one");
        Check.equal(found(topic, "own", 32, 0, Long.MAX_VALUE, 0), 0, "no part of a key");
        MessageExt m = Desk.admin().queryMessage(topic, "own4", 32, 0, Long.MAX_VALUE).getMessageList()
            .get(0);
        Check.equal(Tools.body(m) + " " + m.getTopic(), "m4 " + topic, "the message");
    }

    private static void byUniqueKey() throws Exception {
        String topic = Tools.topic("quniq", 2);
        SendResult sent = Tools.producer().send(Tools.text(topic, "unique"));
        MessageExt[] m = new MessageExt[1];
        Check.that(Tools.await(5, () -> {
            try {
                m[0] = Desk.admin().viewMessage(topic, sent.getMsgId());
            } catch (Exception e) {
                m[0] = null;
            }
            return m[0] != null;
        }), "found by the id that a producer knows", m[0]);
        Check.equal(m[0] == null ? null : Tools.body(m[0]), "unique", "the message");
        String absent = sent.getMsgId().substring(0, 28) + "FFFF";
        int code = Desk.refusal(() -> Desk.admin().viewMessage(topic, absent));
        Check.that(code != 0, "none by an id that nobody gave", code);
    }

    private static void byOffsetId() throws Exception {
        String topic = Tools.topic("qoff", 1);
        SendResult sent = Tools.producer().send(Tools.text(topic, "place"));
        MessageExt m = Desk.admin().viewMessage(topic, sent.getOffsetMsgId());
        Check.equal(Tools.body(m) + " " + m.getQueueOffset(), "place 0", "the message");
        int code = Desk.refusal(() -> Tools.producer().viewMessage(topic,
            sent.getOffsetMsgId().substring(0, 28) + "0F01"));
        Check.that(code != 0, "none at a place where no message begins", code);
    }

    private static void byTime() throws Exception {
        String topic = Tools.topic("qtime", 1);
        long[] t = new long[4];
        for (int i = 0; i < 3; i++) {
            t[i] = System.currentTimeMillis();
            Thread.sleep(1100); // the index of a Java broker knows seconds
            Message m = Tools.text(topic, "m" + i);
            m.setKeys("same");
            Tools.producer().send(m);
            Thread.sleep(1100);
        }
        t[3] = System.currentTimeMillis();
        Check.equal(found(topic, "same", 32, t[0], t[3], 3), 3, "the whole range");
        Check.equal(found(topic, "same", 32, t[1], t[2], 1), 1, "the middle");
        Check.equal(found(topic, "same", 32, t[1], t[3], 2), 2, "the younger two");
        Check.equal(found(topic, "same", 32, 0, t[1], 1), 1, "the oldest");
        Check.equal(found(topic, "same", 32, t[3] + 1000, t[3] + 60000, 0), 0, "later");
        Check.equal(found(topic, "same", 32, 0, t[0] - 60000, 0), 0, "before");
    }

    private static void atMost() throws Exception {
        String topic = Tools.topic("qmost", 1);
        for (int i = 0; i < 50; i++) {
            Message m = Tools.text(topic, "m" + i);
            m.setKeys("many");
            Tools.producer().send(m);
        }
        Check.equal(found(topic, "many", 64, 0, Long.MAX_VALUE, 50), 50, "64 asked for: all");
        Check.equal(found(topic, "many", 10, 0, Long.MAX_VALUE, 10), 10, "10 asked for: 10");
    }

    private static void oddKeys() throws Exception {
        String topic = Tools.topic("qodd", 1);
        String[] keys = {"ключ", "a#b", "a/b?c=d", "0123456789".repeat(20)};
        for (String key : keys) {
            Message m = Tools.text(topic, "odd");
            m.setKeys(key);
            Tools.producer().send(m);
        }
        for (String key : keys) {
            Check.equal(found(topic, key, 32, 0, Long.MAX_VALUE, 1), 1, key);
        }
    }

    private static void anotherTopic() throws Exception {
        String one = Tools.topic("qone", 1);
        String two = Tools.topic("qtwo", 1);
        Message m = Tools.text(one, "one");
        m.setKeys("shared");
        Tools.producer().send(m);
        Check.equal(found(one, "shared", 32, 0, Long.MAX_VALUE, 1), 1, "of its topic");
        Check.equal(found(two, "shared", 32, 0, Long.MAX_VALUE, 0), 0, "not of another");
        String code = Desk.refusalText(() -> Tools.producer().queryMessage(Tools.name("q-none"), "shared",
            32, 0, Long.MAX_VALUE));
        Check.that(!code.equals("0"), "not of a topic that is not there", code);
    }

    private static Map<String, String> tracks(MessageExt m) throws Exception {
        List<MessageTrack> list = Desk.admin().messageTrackDetail(m);
        Map<String, String> all = new TreeMap<>();
        for (MessageTrack one : list) {
            all.put(one.getConsumerGroup(), String.valueOf(one.getTrackType()));
        }
        return all;
    }

    /** Who has consumed a message. */
    private static void track() throws Exception {
        String topic = Tools.topic("qtrack", 1);
        Inbox done = new Inbox("qtrack-done").subscribe(topic, "*").start(topic, 1);
        Inbox filtered = new Inbox("qtrack-filtered").subscribe(topic, "OTHER").start(topic, 1);
        Inbox waits = new Inbox("qtrack-waits").says((msgs, context) -> {
            try {
                Thread.sleep(Tools.body(msgs.get(0)).equals("first") ? 0 : 8000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return null;
        }).subscribe(topic, "*").start(topic, 1);
        Inbox gone = new Inbox("qtrack-gone").subscribe(topic, "*").start(topic, 1);
        Tools.producer().send(new Message(topic, "OTHER", "first".getBytes()));
        waits.has(1, 15);
        filtered.has(1, 15);
        SendResult sent = Tools.producer().send(new Message(topic, "TAG", "track".getBytes()));
        Tools.producer().send(new Message(topic, "OTHER", "next".getBytes()));
        gone.has(3, 15);
        gone.close();
        done.has(3, 15);
        done.commit();
        filtered.has(2, 15);
        filtered.commit();
        waits.has(2, 15);
        waits.commit();
        Thread.sleep(300);
        MessageExt m = Desk.admin().viewMessage(topic, sent.getOffsetMsgId());
        Map<String, String> all = tracks(m);
        Check.equal(all.get(Tools.name("qtrack-done")), "CONSUMED", "a group that consumed it");
        Check.equal(all.get(Tools.name("qtrack-filtered")), "CONSUMED_BUT_FILTERED",
            "one that asked for another tag");
        Check.equal(all.get(Tools.name("qtrack-waits")), "NOT_CONSUME_YET", "one that is not so far");
        Check.equal(all.get(Tools.name("qtrack-gone")), "NOT_ONLINE", "one that is not there");
        done.drop();
        filtered.drop();
        waits.drop();
    }

    private static void trackBroadcast() throws Exception {
        String topic = Tools.topic("qtbroad", 1);
        var c = Tools.newPush("qtbroad-group");
        Tools.broadcasting(c);
        Inbox in = new Inbox(c).subscribe(topic, "*").start(topic, 1);
        SendResult sent = Tools.producer().send(Tools.text(topic, "track"));
        in.has(1, 15);
        MessageExt m = Desk.admin().viewMessage(topic, sent.getOffsetMsgId());
        String[] seen = {""};
        Check.that(Tools.await(10, () -> {
            try {
                seen[0] = tracks(m).get(Tools.name("qtbroad-group"));
            } catch (Exception e) {
                seen[0] = e.toString();
            }
            return "CONSUME_BROADCASTING".equals(seen[0]);
        }), "a broadcasting group", seen[0]);
        in.drop();
    }
}
