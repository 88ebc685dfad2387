package bolide.interop;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Semaphore;

/**
 * Runs cases against a name server, or does one step of a longer test.
 *
 * <pre>
 * Main NAMESRV PREFIX cases NAME...     no NAME: all; "reset." is all of that family
 * Main NAMESRV PREFIX list
 * Main NAMESRV PREFIX STEP
 * Main NAMESRV PREFIX steps     a STEP a line from standard input; after each a line "done" or "failed ..."
 *
 * STEP: produce TOPIC QUEUES FIRST COUNT   (QUEUES 0: the topic is there or auto-created)
 *       dump TOPIC...
 *       consume TOPIC GROUP COUNT
 *       offsets TOPIC GROUP
 * </pre>
 *
 * <p>"cases" prints a line "case NAME green|red|skip SECONDS TEXT" for each, parted by tabs, "wrong NAME TEXT" before it
 * for each claim that did not hold, and "restart", upon which it wants the broker stopped and started again and a line on
 * its standard input then.
 */
public final class Main {
    private static final int TOGETHER = Integer.getInteger("together", 12);
    private static final int SECONDS = Integer.getInteger("seconds", 75);

    private static final Case[][] FAMILIES = {
        SendCases.ALL, MemberCases.ALL, GroupCases.ALL, RetryCases.ALL, OrderCases.ALL, TagCases.ALL,
        SqlCases.ALL, OffsetCases.ALL, PullCases.ALL, ResetCases.ALL, StatusCases.ALL, QueryCases.ALL,
        RequestCases.ALL, TraceCases.ALL, QueueCases.ALL, NamespaceCases.ALL, DelayCases.ALL,
        TimerCases.ALL, RestartCases.ALL,
    };

    /** Standard output; what logs to it goes to standard error instead while cases run. */
    static final PrintStream OUT = System.out;

    private Main() {
    }

    public static void main(String[] args) throws Exception {
        Tools.namesrv = args[0];
        Tools.prefix = args[1];
        switch (args[2]) {
            case "cases":
                System.setOut(System.err);
                cases(Arrays.asList(args).subList(3, args.length));
                System.exit(0);
                break;
            case "list":
                for (Case c : chosen(Collections.emptyList())) {
                    System.out.println(c.name);
                }
                break;
            case "steps":
                Steps.serve();
                break;
            default:
                Steps.run(Arrays.copyOfRange(args, 2, args.length));
        }
        Tools.shutdown();
        System.exit(0);
    }

    private static List<Case> chosen(List<String> names) {
        List<Case> all = new ArrayList<>();
        for (Case[] family : FAMILIES) {
            for (Case c : family) {
                String head = c.name.substring(0, c.name.indexOf('.') + 1);
                if (names.isEmpty() || names.contains(c.name) || names.contains(head)) {
                    all.add(c);
                }
            }
        }
        return all;
    }

    private static void cases(List<String> names) throws Exception {
        List<Case> all = chosen(names);
        run(all, Case.Lane.PARALLEL, TOGETHER);
        run(all, Case.Lane.ALONE, 1);
        RestartCases.expect(all);
        run(all, Case.Lane.RESTART, all.size());
    }

    private static void run(List<Case> all, Case.Lane lane, int together) throws Exception {
        Semaphore free = new Semaphore(together);
        List<Thread> threads = new ArrayList<>();
        for (Case c : all) {
            if (c.lane != lane) {
                continue;
            }
            free.acquire();
            Thread t = new Thread(() -> {
                try {
                    c.run(lane == Case.Lane.PARALLEL ? SECONDS : 2 * SECONDS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                } finally {
                    free.release();
                }
            });
            t.start();
            threads.add(t);
        }
        for (Thread t : threads) {
            t.join();
        }
    }
}
