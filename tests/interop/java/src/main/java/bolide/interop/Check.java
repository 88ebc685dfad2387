package bolide.interop;

/** Prints one line per claim: "ok NAME" or "not ok NAME | what was seen". */
final class Check {
    static volatile boolean failed;

    private Check() {
    }

    static synchronized boolean that(boolean good, String name, Object seen) {
        if (good) {
            System.out.println("ok " + name);
        } else {
            failed = true;
            String text = String.valueOf(seen).replace('\n', ' ');
            System.out.println("not ok " + name + " | " + text);
        }
        System.out.flush();
        return good;
    }

    static boolean equal(Object got, Object want, String name) {
        boolean same = got == null ? want == null : got.equals(want);
        return that(same, name, "got " + got + ", want " + want);
    }

    static synchronized void note(String text) {
        System.out.println("# " + text);
        System.out.flush();
    }
}
