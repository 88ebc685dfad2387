package bolide.interop;

import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** SQL92: each expression over the same messages, by pull; then what consumers do with it. */
final class SqlCases {
    static final Case[] ALL = {
        Case.of("sql.numbers", () -> table("numbers", SqlCases.NUMBERS)),
        Case.of("sql.strings", () -> table("strings", SqlCases.STRINGS)),
        Case.of("sql.between", () -> table("between", SqlCases.BETWEEN)),
        Case.of("sql.in", () -> table("in", SqlCases.IN)),
        Case.of("sql.null", () -> table("null", SqlCases.NULLS)),
        Case.of("sql.booleans", () -> table("booleans", SqlCases.BOOLEANS)),
        Case.of("sql.three-valued-logic", () -> table("logic", SqlCases.LOGIC)),
        Case.of("sql.contains-startswith-endswith", () -> table("contains", SqlCases.CONTAINS)),
        Case.of("sql.syntax", () -> table("syntax", SqlCases.SYNTAX)),
        Case.of("sql.refused-by-46", SqlCases::refused),
        Case.of("sql.refused-by-pull", SqlCases::refusedByPull),
        Case.of("sql.long-expression", SqlCases::longOne),
        Case.of("sql.checked-at-start", SqlCases::checked),
        Case.of("sql.push-consumer", SqlCases::push),
        Case.of("sql.lite-consumer", SqlCases::lite),
        Case.of("sql.offset-goes-on", SqlCases::goesOn),
        Case.of("sql.retry", SqlCases::retry),
    };

    /** A message's name, then property and value in turn; TAGS is its tag. */
    private static final String[][] MESSAGES = {
        {"a", "n", "1", "s", "apple", "b", "true", "TAGS", "T1"},
        {"b", "n", "2", "s", "banana", "b", "false", "TAGS", "T2"},
        {"c", "n", "10", "s", "it's", "b", "TRUE"},
        {"d", "n", "-3", "s", "10"},
        {"e", "n", "2.5", "s", "Apple pie"},
        {"f", "n", "abc", "s", "a%b_c"},
        {"g", "s", "x y"},
        {"h"},
        {"i", "n", "9223372036854775807", "s", "ünïcode"},
        {"j", "n", " 2 ", "s", "true"},
    };

    // A whole number compares as int or long, so 2.5 is none of them; a number with a point compares as double.
    private static final String[][] NUMBERS = {
        {"n = 2", "b"}, {"n = 2.0", "b j"}, {"n <> 2", "a c d"}, {"n > 1", "b c"},
        {"n >= 2.5", "c e i"}, {"n < 2", "a d"}, {"n <= 1", "a d"}, {"n = -3", "d"},
        {"n > -4 AND n < 0", "d"}, {"n = +1", "a"}, {"n = 9223372036854775807", "i"},
        {"n > 9223372036854775806", "i"}, {"2 = n", "b"}, {"1 < n", "b c"}, {"n = 1e0", "a"},
        {"n > 1.5E0", "b c e i j"}, {"n = .5", ""}, {"n = 10L", "c"}, {"n = 0x0A", ""},
        {"s = 10", "d"}, {"s > 5", "d"},
    };
    private static final String[][] STRINGS = {
        {"s = 'apple'", "a"}, {"s = 'APPLE'", ""}, {"s = 'it''s'", "c"},
        {"s <> 'apple'", "b c d e f g i j"}, {"s = 'x y'", "g"}, {"s = 'ünïcode'", "i"},
        {"n = '1'", "a"}, {"n = 'abc'", "f"}, {"TAGS = 'T1'", "a"}, {"TAGS <> 'T1'", "b"},
        {"TAGS in ('T1', 'T2')", "a b"}, {"s = ''", ""}, {"'apple' = s", "a"},
    };
    private static final String[][] BETWEEN = {
        {"n BETWEEN 1 AND 2", "a b"}, {"n between 2 and 10", "b c"},
        {"n NOT BETWEEN 1 AND 2", "c d"}, {"n BETWEEN -5 AND 0", "d"},
        {"n BETWEEN 2.1 AND 2.9", "e"}, {"n BETWEEN 1 AND 2 AND s = 'apple'", "a"},
    };
    private static final String[][] IN = {
        {"s IN ('apple', 'banana')", "a b"}, {"s in ('10')", "d"},
        {"s NOT IN ('apple', 'banana')", "c d e f g i j"}, {"n IN ('1', '2')", "a b"},
        {"s IN ('it''s')", "c"},
    };
    private static final String[][] NULLS = {
        {"n IS NULL", "g h"}, {"n IS NOT NULL", "a b c d e f i j"}, {"none IS NULL",
            "a b c d e f g h i j"}, {"none IS NOT NULL", ""}, {"n is null and s is not null", "g"},
        {"none = 1", ""}, {"none <> 1", ""}, {"NOT (none = 1)", ""},
    };
    private static final String[][] BOOLEANS = {
        {"b = TRUE", "a c"}, {"b = FALSE", "b"}, {"b = true", "a c"}, {"b <> TRUE", "b"},
        {"TRUE", "a b c d e f g h i j"}, {"FALSE", ""}, {"NOT FALSE", "a b c d e f g h i j"},
        {"b = 'true'", "a"}, {"s = TRUE", "j"},
    };
    // NOT binds tighter than a comparison: NOT n = 1 is (NOT n) = 1, which nothing is.
    private static final String[][] LOGIC = {
        {"n = 1 OR s = 'banana'", "a b"}, {"n = 1 AND s = 'apple'", "a"}, {"NOT n = 1", ""},
        {"NOT (n = 1)", "b c d"}, {"NOT (n = 1 OR n = 2)", "c d"},
        {"n = 1 OR none = 1", "a"}, {"n = 1 AND none = 1", ""}, {"none = 1 OR s = 'x y'", "g"},
        {"NOT (none = 1) OR n = 1", "a"}, {"n > 0 OR n <= 0 OR n IS NULL", "a b c d g h"},
        {"n = 1 OR n = 2 AND s = 'none'", "a"}, {"(n = 1 OR n = 2) AND s = 'banana'", "b"},
        {"NOT NOT (n = 1)", "a"},
    };
    private static final String[][] CONTAINS = {
        {"s CONTAINS 'an'", "b"}, {"s NOT CONTAINS 'a'", "c d e g i j"}, {"s STARTSWITH 'a'", "a f"},
        {"s NOT STARTSWITH 'a'", "b c d e g i j"}, {"s ENDSWITH 'e'", "a e i j"},
        {"s NOT ENDSWITH 'e'", "b c d f g"}, {"s contains 'pp'", "a e"}, {"s CONTAINS '%'", "f"},
        {"s STARTSWITH 'apple'", "a"},
    };
    private static final String[][] SYNTAX = {
        {"((n = 1))", "a"}, {"n=1", "a"}, {"  n\t=\n1  ", "a"}, {"n = 1 /* one */", "a"},
        {"n = 1 -- one", "a"}, {"N = 1", ""}, {"NoT (n = 1) AnD n In ('2')", "b"},
        {"$x = 1", ""}, {"_y IS NULL", "a b c d e f g h i j"},
        {"n = 1 OR (n = 2 OR (n = 10 OR (n = -3)))", "a b c d"},
    };
    private static final String[] REFUSED = {
        "n aNd", "n BETWEEN 10 AND 1", "n BETWEEN 1", "n IN (1, 2)", "n == 1", "n != 1", "n = ", "(n = 1",
        "s = \"apple\"", "n = 1; n = 2", "s = 'open", "1", "'x'", "n = NULL",
    };

    private SqlCases() {
    }

    private static MessageQueue fill(String name) throws Exception {
        String topic = Tools.topic("sql-" + name, 1);
        MessageQueue mq = Tools.queue(topic, 0);
        // the client refuses SQL until a heartbeat's answer has told it the broker's version
        var client = Tools.puller().getDefaultMQPullConsumerImpl().getRebalanceImpl()
            .getmQClientFactory();
        Tools.await(10, () -> {
            client.sendHeartbeatToAllBrokerWithLock();
            return Tools.knowsVersion(client, mq.getBrokerName());
        });
        for (String[] one : MESSAGES) {
            Message m = new Message(topic, one[0].getBytes());
            for (int i = 1; i < one.length; i += 2) {
                if (one[i].equals("TAGS")) {
                    m.setTags(one[i + 1]);
                } else {
                    m.putUserProperty(one[i], one[i + 1]);
                }
            }
            Tools.producer().send(m, mq);
        }
        return mq;
    }

    /** What an expression lets pass; "!" when it is refused with 23. */
    private static String passes(MessageQueue mq, String sql) throws Exception {
        List<String> all = new ArrayList<>();
        String[] end = {""};
        int code = Desk.refusal(() -> {
            long max = Tools.puller().maxOffset(mq);
            for (long at = 0; at < max;) {
                PullResult r = Tools.puller().pull(mq, MessageSelector.bySql(sql), at, 32);
                if (r.getMsgFoundList() != null) {
                    for (MessageExt m : r.getMsgFoundList()) {
                        all.add(Tools.body(m));
                    }
                }
                if (r.getNextBeginOffset() <= at) {
                    end[0] = " stuck at " + at;
                    break;
                }
                at = r.getNextBeginOffset();
            }
            return null;
        });
        return code == 0 ? String.join(" ", all) + end[0] : code == 23 ? "!" : "code " + code;
    }

    private static void table(String name, String[][] rows) throws Exception {
        MessageQueue mq = fill(name);
        for (String[] row : rows) {
            Check.equal(passes(mq, row[0]), row[1], row[0]);
        }
    }

    /** A consumer asks with 46 whether its expression is one. */
    private static void refused() throws Exception {
        Inbox in = new Inbox("sqlrefused-group").subscribe(Tools.topic("sqlrefused", 1), "*").start();
        for (String sql : REFUSED) {
            String answer = check(in, sql);
            Check.that(answer.startsWith("23 ") && answer.length() > 10, sql, answer);
        }
        for (String sql : new String[] {"n = 1", "n BETWEEN 1 AND 2 OR s IN ('a')"}) {
            Check.equal(check(in, sql), "0", sql);
        }
        in.drop();
    }

    private static String check(Inbox in, String sql) throws Exception {
        String topic = Tools.name("sqlrefused");
        in.consumer.getDefaultMQPushConsumerImpl().subscribe(topic, MessageSelector.bySql(sql));
        Object sub = in.consumer.getDefaultMQPushConsumerImpl().getSubscriptionInner().get(topic);
        String answer = Desk.refusalText(() -> Tools.call(in.consumer.getDefaultMQPushConsumerImpl()
            .getmQClientFactory().getMQClientAPIImpl(), "checkClientInBroker", Desk.broker(),
            in.consumer.getConsumerGroup(), in.clientId(), sub, 3000L));
        return answer;
    }

    /** A Java broker lets everything pass. */
    private static void refusedByPull() throws Exception {
        MessageQueue mq = fill("refused");
        for (String sql : REFUSED) {
            Check.equal(passes(mq, sql), "!", sql);
        }
        Check.equal(passes(mq, "n = 1"), "a", "the next is served");
    }

    private static void longOne() throws Exception {
        MessageQueue mq = fill("long");
        StringBuilder sql = new StringBuilder("n = 1");
        for (int i = 0; i < 200; i++) {
            sql.append(" OR n = ").append(i);
        }
        Check.equal(passes(mq, sql.toString()), "a b c", "201 comparisons");
    }

    private static void checked() throws Exception {
        String topic = Tools.topic("sqlcheck", 1);
        Inbox bad = new Inbox("sqlcheck-group").subscribe(topic, MessageSelector.bySql("n > 1 AND"));
        try {
            bad.start();
            Check.that(false, "a consumer with a bad expression does not start", "started");
        } catch (MQClientException e) {
            Check.equal(e.getResponseCode(), 23, "a consumer with a bad expression does not start");
        }
        bad.drop();
        Inbox good = new Inbox("sqlcheck-good").subscribe(topic, MessageSelector.bySql("n > 1"));
        good.start(topic, 1);
        Check.equal(good.queues(topic).size(), 1, "one with a good expression does");
        good.drop();
    }

    private static Message numbered(String topic, int n) {
        Message m = new Message(topic, "T" + n % 2, ("" + n).getBytes());
        m.putUserProperty("n", "" + n);
        return m;
    }

    private static void push() throws Exception {
        String topic = Tools.topic("sqlpush", 2);
        Inbox in = new Inbox("sqlpush-group").subscribe(topic,
            MessageSelector.bySql("n BETWEEN 10 AND 19 AND TAGS = 'T1'")).start(topic, 2);
        for (int i = 0; i < 40; i++) {
            Tools.producer().send(numbered(topic, i));
        }
        in.has(5, 20);
        Thread.sleep(500);
        Check.equal(in.different().toString(), "[11, 13, 15, 17, 19]", "what it gets");
        Check.equal(in.got.size(), 5, "each once");
        var seen = Desk.admin().examineConsumerConnectionInfo(Tools.name("sqlpush-group"));
        var sub = seen.getSubscriptionTable().get(topic);
        Check.equal(sub.getExpressionType() + " " + sub.getSubString(),
            "SQL92 n BETWEEN 10 AND 19 AND TAGS = 'T1'", "the group's subscription");
        in.drop();
    }

    private static void lite() throws Exception {
        String topic = Tools.topic("sqllite", 1);
        for (int i = 0; i < 20; i++) {
            Tools.producer().send(numbered(topic, i));
        }
        var lite = Tools.newLite("sqllite-group");
        lite.subscribe(topic, MessageSelector.bySql("n >= 15"));
        lite.start();
        List<String> all = new ArrayList<>();
        for (int i = 0; i < 30 && all.size() < 5; i++) {
            for (MessageExt m : lite.poll(500)) {
                all.add(Tools.body(m));
            }
        }
        Check.equal(all.toString(), "[15, 16, 17, 18, 19]", "what it polls");
        Tools.endLater(lite::shutdown);
    }

    private static void goesOn() throws Exception {
        String topic = Tools.topic("sqlrare", 1);
        MessageQueue mq = Tools.queue(topic, 0);
        Inbox in = new Inbox("sqlrare-group").subscribe(topic, MessageSelector.bySql("n = 499"))
            .start(topic, 1);
        List<Message> many = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            many.add(numbered(topic, i));
        }
        Tools.producer().send(many, mq);
        Check.that(in.has(1, 15), "the one is found among 500", in.got);
        in.commit();
        Check.that(Tools.await(5, () -> in.committed(mq) == 500), "its offset is behind all",
            in.committed(mq));
        in.drop();
    }

    private static void retry() throws Exception {
        String topic = Tools.topic("sqlretry", 1);
        Inbox in = new Inbox("sqlretry-group").says((msgs, context) -> {
            context.setDelayLevelWhenNextConsume(1);
            return msgs.get(0).getReconsumeTimes() == 0
                ? org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus.RECONSUME_LATER
                : null;
        }).subscribe(topic, MessageSelector.bySql("n = 7")).start();
        in.knowsRetries();
        in.holds(topic, 1, 20);
        Tools.producer().send(numbered(topic, 7));
        Tools.producer().send(numbered(topic, 8));
        in.has(2, 20);
        Check.equal(in.got.toString(), "[7(0), 7(1)]", "a filtered message comes again");
        in.drop();
    }
}
