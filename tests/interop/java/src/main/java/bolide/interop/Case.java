package bolide.interop;

import java.util.ArrayList;
import java.util.List;

/** One row of the table of cases: a name, what it does, and when it may run. */
final class Case {
    /** PARALLEL: with others. ALONE: nothing else runs. RESTART: all of them share restarts of the broker. */
    enum Lane { PARALLEL, ALONE, RESTART }

    interface Body {
        void run() throws Exception;
    }

    /** Thrown by a case that this client or server cannot do; the text says why. */
    static final class Skip extends Exception {
        private static final long serialVersionUID = 1L;

        Skip(String why) {
            super(why);
        }
    }

    final String name;
    final Lane lane;
    final Body body;
    private final List<String> wrong = new ArrayList<>();
    private int claims;
    private String skipped;
    private long start;

    private Case(String name, Lane lane, Body body) {
        this.name = name;
        this.lane = lane;
        this.body = body;
    }

    static Case of(String name, Body body) {
        return new Case(name, Lane.PARALLEL, body);
    }

    static Case alone(String name, Body body) {
        return new Case(name, Lane.ALONE, body);
    }

    static Case restart(String name, Body body) {
        return new Case(name, Lane.RESTART, body);
    }

    synchronized void claim(boolean good, String what, Object seen) {
        claims++;
        if (!good) {
            wrong.add((what + " | " + seen).replace('\n', ' '));
        }
    }

    /** Runs it in a thread of its own, at most this long, and prints its line. */
    void run(int seconds) throws InterruptedException {
        start = System.nanoTime();
        Thread t = new Thread(this::guarded, "case-" + name);
        t.setDaemon(true);
        t.start();
        t.join(seconds * 1000L);
        if (t.isAlive()) {
            StringBuilder where = new StringBuilder("still running after " + seconds + " s");
            for (StackTraceElement e : t.getStackTrace()) {
                if (e.getClassName().startsWith("bolide")) {
                    where.append(" at ").append(e);
                }
            }
            claim(false, "it ends", where);
        }
        print();
    }

    private void guarded() {
        Check.current.set(this);
        try {
            body.run();
        } catch (Skip e) {
            skipped = e.getMessage();
        } catch (Throwable e) {
            StringBuilder text = new StringBuilder(String.valueOf(e));
            for (StackTraceElement at : e.getStackTrace()) {
                if (at.getClassName().startsWith("bolide")) {
                    text.append(" at ").append(at);
                }
            }
            claim(false, "it runs to its end", text);
        }
    }

    /** case NAME green|red|skip SECONDS TEXT, parted by tabs, behind a line for each wrong claim. */
    private synchronized void print() {
        double seconds = (System.nanoTime() - start) / 1e9;
        String state = !wrong.isEmpty() ? "red" : skipped != null ? "skip" : "green";
        String text = skipped != null ? skipped : claims + " claims";
        if (claims == 0 && skipped == null && wrong.isEmpty()) {
            state = "red";
            text = "it claimed nothing";
        }
        synchronized (Main.OUT) {
            for (String line : wrong) {
                Main.OUT.println("wrong\t" + name + "\t" + line);
            }
            Main.OUT.println(String.format("case\t%s\t%s\t%.1f\t%s", name, state, seconds, text));
            Main.OUT.flush();
        }
    }
}
