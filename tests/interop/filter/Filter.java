import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.broker.filter.MessageEvaluationContext;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.filter.FilterFactory;
import org.apache.rocketmq.filter.expression.Expression;

/**
 * RocketMQ's own filter on the cases of test_filter. A line on the input is "P HEX", one more set of
 * properties as it lies in a record, or "E HEX", an expression. For each expression a line goes out:
 * "-" when it cannot be compiled, else for each set T, F, N (null) or X (an exception).
 */
public class Filter {
    private static String text(String hex) {
        byte[] bytes = new byte[hex.length() / 2];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static char answer(Expression expression, Map<String, String> properties) {
        try {
            Object value = expression.evaluate(new MessageEvaluationContext(properties));
            return value == null ? 'N' : (Boolean) value ? 'T' : 'F';
        } catch (Throwable e) {
            return 'X';
        }
    }

    public static void main(String[] args) throws Exception {
        List<Map<String, String>> sets = new ArrayList<>();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        StringBuilder out = new StringBuilder();
        String line;
        while ((line = in.readLine()) != null) {
            String payload = text(line.substring(2));
            if (line.charAt(0) == 'P') {
                sets.add(MessageDecoder.string2messageProperties(payload));
                continue;
            }
            try {
                Expression expression = FilterFactory.INSTANCE.get("SQL92").compile(payload);
                for (Map<String, String> set : sets) {
                    out.append(answer(expression, set));
                }
            } catch (Throwable e) {
                out.append('-');
            }
            out.append('\n');
        }
        System.out.print(out);
        System.out.flush();
    }
}
