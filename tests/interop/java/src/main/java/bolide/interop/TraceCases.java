package bolide.interop;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.trace.TraceView;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** What clients write about their messages, read as the stock tool reads it. */
final class TraceCases {
    static final Case[] ALL = {
        Case.of("trace.produced", TraceCases::produced),
        Case.of("trace.consumed", TraceCases::consumed),
        Case.of("trace.own-topic", TraceCases::ownTopic),
    };

    private TraceCases() {
    }

    private static DefaultMQProducer producer(String group, String traceTopic) throws Exception {
        DefaultMQProducer p = new DefaultMQProducer(Tools.name(group), true, traceTopic);
        p.setNamesrvAddr(Tools.namesrv);
        p.setInstanceName(Tools.instance());
        p.start();
        return p;
    }

    /** Records about a message, once at least this many are there. */
    private static List<TraceView> views(String traceTopic, String id, int want) throws Exception {
        List<TraceView> all = new ArrayList<>();
        Tools.await(25, () -> {
            all.clear();
            try {
                for (MessageExt m : Desk.admin().queryMessage(traceTopic, id, 64, 0, Long.MAX_VALUE)
                    .getMessageList()) {
                    all.addAll(TraceView.decodeFromTraceTransData(id, m));
                }
            } catch (Exception e) {
                return false;
            }
            return all.size() >= want;
        });
        return all;
    }

    private static void produced() throws Exception {
        String topic = Tools.topic("tpub", 1);
        DefaultMQProducer p = producer("tpub-producer", null);
        SendResult sent = p.send(new Message(topic, "TagT", "trace-key", "traced".getBytes()));
        List<TraceView> all = views("RMQ_SYS_TRACE_TOPIC", sent.getMsgId(), 1);
        if (Check.equal(all.size(), 1, "one record")) {
            TraceView v = all.get(0);
            Check.equal(v.getMsgType() + " " + v.getTopic() + " " + v.getTags() + " " + v.getKeys() + " "
                + v.getGroupName() + " " + v.getStatus(), "Pub " + topic + " TagT trace-key "
                + Tools.name("tpub-producer") + " success", "what it says");
            Check.equal(v.getOffSetMsgId(), sent.getOffsetMsgId(), "offset id");
        }
        Tools.endLater(p::shutdown);
    }

    private static void consumed() throws Exception {
        String topic = Tools.topic("tsub", 1);
        DefaultMQPushConsumer c = Tools.prepare(new DefaultMQPushConsumer(Tools.name("tsub-group"), true,
            null));
        Inbox in = new Inbox(c).subscribe(topic, "*").start(topic, 1);
        DefaultMQProducer p = producer("tsub-producer", null);
        SendResult sent = p.send(new Message(topic, "TagT", "trace-key", "traced".getBytes()));
        in.has(1, 15);
        List<TraceView> all = views("RMQ_SYS_TRACE_TOPIC", sent.getMsgId(), 3);
        TreeSet<String> types = new TreeSet<>();
        for (TraceView v : all) {
            types.add(String.valueOf(v.getMsgType()));
        }
        Check.equal(types.toString(), "[Pub, SubAfter, SubBefore]", "records");
        Tools.endLater(p::shutdown);
        in.drop();
    }

    private static void ownTopic() throws Exception {
        String topic = Tools.topic("town", 1);
        String trace = Tools.topic("town-trace", 1);
        DefaultMQProducer p = producer("town-producer", trace);
        SendResult sent = p.send(new Message(topic, "TagT", "trace-key", "traced".getBytes()));
        Check.equal(views(trace, sent.getMsgId(), 1).size(), 1, "one record in a topic of one's own");
        Tools.endLater(p::shutdown);
    }
}
