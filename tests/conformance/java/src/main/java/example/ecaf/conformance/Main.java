package example.ecaf.conformance;

import com.google.gson.Gson;
import java.io.BufferedWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Judges the documents of a list: {@code Main fhir|hl7v2 LIST VERDICTS ARTEFACTS}.
 *
 * <p>LIST has one line per document: its name, a tabulator, its file. VERDICTS gets one line of JSON
 * per document: {@code {"document": name, "findings": [...]}}. ARTEFACTS is a folder of conformance
 * resources (FHIR only). A document that makes the oracle itself fail is a finding, not an end.
 */
public final class Main {
    private static final int STEP = 50;

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Oracle oracle =
                switch (arguments[0]) {
                    case "fhir" -> new FhirOracle(Path.of(arguments[3]));
                    case "hl7v2" -> new Hl7v2Oracle();
                    default -> throw new IllegalArgumentException("no oracle " + arguments[0]);
                };
        List<String> list = Files.readAllLines(Path.of(arguments[1]));
        Gson gson = new Gson();
        try (BufferedWriter out = Files.newBufferedWriter(Path.of(arguments[2]))) {
            int done = 0;
            for (String line : list) {
                String[] parts = line.split("\t", 2);
                List<Finding> findings = judged(oracle, Path.of(parts[1]));
                out.write(gson.toJson(Map.of("document", parts[0], "findings", findings)));
                out.newLine();
                if (++done % STEP == 0 || done == list.size()) {
                    System.err.println("  " + done + " of " + list.size());
                }
            }
        }
    }

    private static List<Finding> judged(Oracle oracle, Path file) {
        try {
            return oracle.judge(file);
        } catch (Exception failure) {
            String code = failure.getClass().getSimpleName();
            return List.of(new Finding("fatal", code, "", String.valueOf(failure.getMessage())));
        }
    }
}
