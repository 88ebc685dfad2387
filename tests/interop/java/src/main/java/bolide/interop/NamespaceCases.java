package bolide.interop;

import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Namespaces: a prefix that the client puts before names (v1), or fields beside them (v2). */
final class NamespaceCases {
    static final Case[] ALL = {
        Case.of("namespace.prefix", NamespaceCases::prefix),
        Case.of("namespace.prefix-retry", NamespaceCases::retry),
        Case.of("namespace.fields", NamespaceCases::fields),
    };

    private NamespaceCases() {
    }

    @SuppressWarnings("deprecation")
    private static DefaultMQProducer producer(String space, String group) throws Exception {
        DefaultMQProducer p = new DefaultMQProducer(Tools.name(group));
        p.setNamespace(space);
        p.setNamesrvAddr(Tools.namesrv);
        p.setInstanceName(Tools.instance());
        p.start();
        return p;
    }

    @SuppressWarnings("deprecation")
    private static Inbox consumer(String space, String group) {
        DefaultMQPushConsumer c = new DefaultMQPushConsumer(Tools.name(group));
        c.setNamespace(space);
        return new Inbox(Tools.prepare(c));
    }

    private static void prefix() throws Exception {
        String space = Tools.name("spaceA");
        String topic = Tools.name("ns-topic");
        Tools.createTopic(space + "%" + topic, 2);
        Tools.createTopic(topic, 2);
        Inbox inside = consumer(space, "ns-group").subscribe(topic, "*").start(space + "%" + topic, 2);
        Inbox outside = new Inbox("ns-group").subscribe(topic, "*").start(topic, 2);
        DefaultMQProducer p = producer(space, "ns-producer");
        SendResult sent = p.send(Tools.text(topic, "inside"));
        Check.equal(sent.getMessageQueue().getTopic(), topic, "the answer names the topic without prefix");
        Tools.producer().send(Tools.text(topic, "outside"));
        inside.has(1, 15);
        outside.has(1, 15);
        Thread.sleep(300);
        Check.equal(inside.bodies() + " " + outside.bodies(), "[inside] [outside]", "who gets what");
        Check.equal(inside.got.get(0).topic, topic, "a consumer sees the topic without prefix");
        var seen = Desk.admin().examineConsumerConnectionInfo(space + "%" + Tools.name("ns-group"));
        Check.that(seen.getSubscriptionTable().containsKey(space + "%" + topic), "operators see it with",
            seen.getSubscriptionTable().keySet());
        MessageExt m = Tools.drain(space + "%" + topic, 1, 5).get(0);
        Check.equal(m.getProperty("INSTANCE_ID"), space, "INSTANCE_ID");
        Tools.endLater(p::shutdown);
        inside.drop();
        outside.drop();
    }

    private static void retry() throws Exception {
        String space = Tools.name("spaceB");
        String topic = Tools.name("nsr-topic");
        Tools.createTopic(space + "%" + topic, 1);
        Inbox in = consumer(space, "nsr-group").says((msgs, context) -> {
            context.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        }).subscribe(topic, "*");
        in.consumer.setMaxReconsumeTimes(1);
        in.start();
        in.holds("%RETRY%" + space + "%" + Tools.name("nsr-group"), 1, 30);
        in.holds(space + "%" + topic, 1, 20);
        DefaultMQProducer p = producer(space, "nsr-producer");
        p.send(Tools.text(topic, "again"));
        String letters = "%DLQ%" + space + "%" + Tools.name("nsr-group");
        List<MessageExt> dead = Tools.drain(letters, 1, 20);
        List<String> topics = new ArrayList<>();
        for (Inbox.Got g : in.got) {
            topics.add(g.topic + g.times);
        }
        Check.equal(topics.toString(), "[" + topic + "0, " + topic + "1]", "delivered twice");
        Check.equal(dead.size(), 1, "then a dead letter, in " + letters);
        Tools.endLater(p::shutdown);
        in.drop();
    }

    /** v2: ns and nsd beside the name; what has no name space of its own takes the name as it is. */
    private static void fields() throws Exception {
        String topic = Tools.topic("nsv2", 2);
        DefaultMQProducer p = new DefaultMQProducer(Tools.name("nsv2-producer"));
        Tools.call(p, "setNamespaceV2", Tools.name("spaceC"));
        p.setNamesrvAddr(Tools.namesrv);
        p.setInstanceName(Tools.instance());
        p.start();
        DefaultMQPushConsumer c = Tools.newPush("nsv2-group");
        Tools.call(c, "setNamespaceV2", Tools.name("spaceC"));
        Inbox in = new Inbox(c).subscribe(topic, "*").start(topic, 2);
        p.send(new Message(topic, "v2".getBytes()));
        in.has(1, 15);
        Check.equal(in.bodies().toString(), "[v2]", "a message goes through");
        Check.equal(Tools.drain(topic, 1, 5).size(), 1, "under the topic's own name");
        Tools.endLater(p::shutdown);
        in.drop();
    }
}
