package bolide.interop;

import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Tags as a pull names them. */
final class TagCases {
    static final Case[] ALL = {
        Case.of("tag.expressions", TagCases::expressions),
        Case.of("tag.offset-goes-on", TagCases::goesOn),
        Case.of("tag.changed-subscription", TagCases::changed),
    };

    private TagCases() {
    }

    /** Bodies of what a pull of the whole queue gives. */
    static String pulled(MessageQueue mq, String expression) throws Exception {
        List<String> all = new ArrayList<>();
        long max = Tools.puller().maxOffset(mq);
        for (long at = 0; at < max;) {
            PullResult r = Tools.puller().pull(mq, expression, at, 32);
            if (r.getMsgFoundList() != null) {
                for (MessageExt m : r.getMsgFoundList()) {
                    all.add(Tools.body(m));
                }
            }
            if (r.getNextBeginOffset() <= at) {
                return all + " and stuck at " + at + ": " + r.getPullStatus();
            }
            at = r.getNextBeginOffset();
        }
        return String.join(" ", all);
    }

    private static void expressions() throws Exception {
        String topic = Tools.topic("tags", 1);
        MessageQueue mq = Tools.queue(topic, 0);
        // "AaAa" and "BBBB" have one hash code
        String[] tags = {"A", "B", null, "AaAa", "BBBB", "标签", "A", "with space", "a"};
        for (int i = 0; i < tags.length; i++) {
            Message m = new Message(topic, ("" + i).getBytes());
            if (tags[i] != null) {
                m.setTags(tags[i]);
            }
            Tools.producer().send(m, mq);
        }
        String[][] table = {
            {"*", "0 1 2 3 4 5 6 7 8"},
            {"A", "0 6"},
            {"A || B", "0 1 6"},
            {"A||B||none", "0 1 6"},
            {"  B  ||  a ", "1 8"},
            {"标签", "5"},
            {"AaAa", "3"},
            {"with space", "7"},
            {"none", ""},
            {"", "0 1 2 3 4 5 6 7 8"},
        };
        for (String[] row : table) {
            Check.equal(pulled(mq, row[0]), row[1], "'" + row[0] + "'");
        }
    }

    /** A consumer whose tag is rare commits offsets of what it does not get. */
    private static void goesOn() throws Exception {
        String topic = Tools.topic("rare", 1);
        MessageQueue mq = Tools.queue(topic, 0);
        Inbox in = new Inbox("rare-group").subscribe(topic, "RARE").start(topic, 1);
        List<Message> many = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            many.add(new Message(topic, "COMMON", ("c" + i).getBytes()));
        }
        Tools.producer().send(many, mq);
        Tools.producer().send(new Message(topic, "RARE", "r".getBytes()), mq);
        Check.that(in.has(1, 15), "the one is found among 500 others", in.got);
        in.commit();
        Check.that(Tools.await(5, () -> in.committed(mq) == 501), "its offset is behind all",
            in.committed(mq));
        in.drop();
    }

    private static void changed() throws Exception {
        String topic = Tools.topic("retag", 1);
        MessageQueue mq = Tools.queue(topic, 0);
        Inbox in = new Inbox("retag-group").subscribe(topic, "A").start(topic, 1);
        Tools.producer().send(new Message(topic, "A", "a1".getBytes()), mq);
        in.has(1, 15);
        in.consumer.subscribe(topic, "B");
        Thread.sleep(500);
        Tools.producer().send(new Message(topic, "A", "a2".getBytes()), mq);
        Tools.producer().send(new Message(topic, "B", "b1".getBytes()), mq);
        in.has(2, 25);
        Check.equal(in.bodies().toString(), "[a1, b1]", "first by the old tag, then by the new");
        in.drop();
    }
}
