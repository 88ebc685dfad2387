package bolide.interop;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Runs cases against a name server, or does one step of a longer test.
 *
 * <pre>
 * Main NAMESRV PREFIX cases NAME...
 * Main NAMESRV PREFIX STEP
 * Main NAMESRV PREFIX steps     a STEP a line from standard input; after each a line "done" or "failed ..."
 *
 * STEP: produce TOPIC QUEUES FIRST COUNT   (QUEUES 0: the topic is there or auto-created)
 *       dump TOPIC...
 *       consume TOPIC GROUP COUNT
 *       offsets TOPIC GROUP
 * </pre>
 */
public final class Main {
    private interface Case {
        void run() throws Exception;
    }

    private static final Map<String, Case> CASES = new LinkedHashMap<>();

    static {
        CASES.put("sync", SendCases::sync);
        CASES.put("properties", SendCases::properties);
        CASES.put("sizes", SendCases::sizes);
        CASES.put("async", SendCases::async);
        CASES.put("oneway", SendCases::oneway);
        CASES.put("batch", SendCases::batch);
        CASES.put("offsets", OffsetCases::offsets);
        CASES.put("view", OffsetCases::view);
        CASES.put("query", OffsetCases::query);
        CASES.put("lite", OffsetCases::lite);
        CASES.put("filter", GroupCases::filter);
        CASES.put("broadcast", GroupCases::broadcast);
        CASES.put("restart", GroupCases::restart);
        CASES.put("cluster", GroupCases::cluster);
        CASES.put("orderly", GroupCases::orderly);
        CASES.put("retry", GroupCases::retry);
    }

    private Main() {
    }

    public static void main(String[] args) throws Exception {
        Tools.namesrv = args[0];
        Tools.prefix = args[1];
        if (args[2].equals("cases")) {
            for (int i = 3; i < args.length; i++) {
                run(args[i]);
            }
        } else if (args[2].equals("steps")) {
            Steps.serve();
        } else {
            Steps.run(Arrays.copyOfRange(args, 2, args.length));
        }
        Tools.shutdown();
        System.exit(Check.failed ? 1 : 0);
    }

    private static void run(String name) throws InterruptedException {
        Case body = CASES.get(name);
        if (body == null) {
            Check.that(false, name + ": there is such a case", CASES.keySet());
            return;
        }
        long start = System.nanoTime();
        Thread t = new Thread(() -> {
            try {
                body.run();
            } catch (Throwable e) {
                StackTraceElement[] at = e.getStackTrace();
                StringBuilder text = new StringBuilder(String.valueOf(e));
                for (int i = 0; i < at.length; i++) {
                    if (at[i].getClassName().startsWith("bolide")) {
                        text.append(" at ").append(at[i]);
                    }
                }
                Check.that(false, name + ": runs to its end", text);
            }
        }, "case-" + name);
        t.start();
        t.join(120000);
        if (t.isAlive()) {
            StringBuilder where = new StringBuilder("still running after 120 s");
            for (StackTraceElement e : t.getStackTrace()) {
                where.append(" at ").append(e);
            }
            Check.that(false, name + ": ends", where);
        }
        Check.note(String.format("%s took %.1f s", name, (System.nanoTime() - start) / 1e9));
    }
}
