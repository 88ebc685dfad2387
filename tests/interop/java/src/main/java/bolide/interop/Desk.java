package bolide.interop;

import java.lang.reflect.Method;
import java.util.Properties;
import java.util.concurrent.Callable;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** What an operator does: the admin library of the same version as the client. */
final class Desk {
    private static DefaultMQAdminExt admin;
    private static String broker;

    private Desk() {
    }

    static synchronized DefaultMQAdminExt admin() throws Exception {
        if (admin == null) {
            admin = new DefaultMQAdminExt(15000);
            admin.setNamesrvAddr(Tools.namesrv);
            admin.setInstanceName(Tools.instance());
            admin.setAdminExtGroup(Tools.name("admin"));
            admin.start();
        }
        return admin;
    }

    /** Address of the one broker. */
    static synchronized String broker() throws Exception {
        if (broker == null) {
            var table = admin().examineBrokerClusterInfo().getBrokerAddrTable();
            broker = table.values().iterator().next().getBrokerAddrs().get(0L);
        }
        return broker;
    }

    /** A group's settings: name, then property and value in turn. */
    static void group(String name, Object... settings) throws Exception {
        for (Method m : DefaultMQAdminExt.class.getMethods()) {
            if (m.getName().equals("createAndUpdateSubscriptionGroupConfig")) {
                Object config = m.getParameterTypes()[1].getDeclaredConstructor().newInstance();
                Tools.set(config, "groupName", name);
                for (int i = 0; i < settings.length; i += 2) {
                    Tools.set(config, (String) settings[i], settings[i + 1]);
                }
                Tools.call(admin(), m.getName(), broker(), config);
                return;
            }
        }
    }

    /** A topic with attributes ("+queue.type=BatchCQ"), which 4.x does not know. */
    static String topic(String what, int queues, String... attributes) throws Exception {
        TopicConfig config = new TopicConfig(Tools.name(what));
        config.setReadQueueNums(queues);
        config.setWriteQueueNums(queues);
        if (attributes.length > 0) {
            var map = new java.util.HashMap<String, String>();
            for (String a : attributes) {
                map.put(a.substring(0, a.indexOf('=')), a.substring(a.indexOf('=') + 1));
            }
            Tools.call(config, "setAttributes", map);
        }
        admin().createAndUpdateTopicConfig(broker(), config);
        Tools.await(10, () -> Tools.queues(config.getTopicName()).size() == queues);
        return config.getTopicName();
    }

    static void setting(String key, String value) throws Exception {
        Properties p = new Properties();
        p.setProperty(key, value);
        admin().updateBrokerConfig(broker(), p);
    }

    /** The response code with which the server refuses; 0 when it does not, -1 for another error. */
    static int refusal(Callable<?> what) throws Exception {
        try {
            what.call();
            return 0;
        } catch (MQBrokerException e) {
            return e.getResponseCode();
        } catch (MQClientException e) {
            return e.getResponseCode();
        }
    }

    /** As refusal, with the text: "CODE text". */
    static String refusalText(Callable<?> what) throws Exception {
        try {
            what.call();
            return "0";
        } catch (MQBrokerException e) {
            return e.getResponseCode() + " " + e.getErrorMessage();
        } catch (MQClientException e) {
            return e.getResponseCode() + " " + e.getErrorMessage();
        }
    }
}
