package bolide.interop;

/** Claims of the case that the current thread (or the one that made it) works for. */
final class Check {
    static final InheritableThreadLocal<Case> current = new InheritableThreadLocal<>();

    private Check() {
    }

    static boolean that(boolean good, String name, Object seen) {
        current.get().claim(good, name, seen);
        return good;
    }

    static boolean equal(Object got, Object want, String name) {
        boolean same = got == null ? want == null : got.equals(want);
        return that(same, name, "got " + got + ", want " + want);
    }

    static void note(String text) {
        synchronized (Main.OUT) {
            Main.OUT.println("note\t" + current.get().name + "\t" + text.replace('\n', ' '));
            Main.OUT.flush();
        }
    }
}
