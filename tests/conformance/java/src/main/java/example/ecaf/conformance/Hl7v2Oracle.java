package example.ecaf.conformance;

import ca.uhn.hl7v2.DefaultHapiContext;
import ca.uhn.hl7v2.HL7Exception;
import ca.uhn.hl7v2.HapiContext;
import ca.uhn.hl7v2.model.AbstractGroup;
import ca.uhn.hl7v2.model.Composite;
import ca.uhn.hl7v2.model.GenericMessage;
import ca.uhn.hl7v2.model.GenericSegment;
import ca.uhn.hl7v2.model.Group;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.model.Segment;
import ca.uhn.hl7v2.model.Structure;
import ca.uhn.hl7v2.model.Type;
import ca.uhn.hl7v2.model.Varies;
import ca.uhn.hl7v2.parser.CanonicalModelClassFactory;
import ca.uhn.hl7v2.parser.ModelClassFactory;
import ca.uhn.hl7v2.parser.PipeParser;
import ca.uhn.hl7v2.validation.impl.DefaultValidationWithoutTN;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * HAPI's parser and structures of HL7 v2.4: parses with its default rules for data types, walks what
 * it parsed for segments and fields that 2.4 requires, limits or does not know, and writes the
 * message again: segments in must be segments out, but for white space where a value begins.
 */
final class Hl7v2Oracle implements Oracle {
    private static final String VERSION = "2.4";

    private final PipeParser parser;

    Hl7v2Oracle() {
        HapiContext context = new DefaultHapiContext();
        context.setModelClassFactory(new CanonicalModelClassFactory(VERSION));
        // Without the rule that a telephone number is American: no British number passes that.
        context.setValidationContext(new DefaultValidationWithoutTN());
        parser = context.getPipeParser();
    }

    @Override
    public List<Finding> judge(Path file) throws Exception {
        String raw = Files.readString(file, StandardCharsets.UTF_8);
        List<Finding> findings = new ArrayList<>();
        Message message = parser.parse(raw);
        if (message instanceof GenericMessage) {
            findings.add(new Finding("error", "UnknownStructure", "MSH-9", message.getName()));
        }
        walk(message, message.getName(), findings);
        compare(raw, parser.encode(message), findings);
        return findings;
    }

    private static void walk(Group group, String place, List<Finding> findings)
            throws HL7Exception {
        for (String name : group.getNames()) {
            Structure[] held = group.getAll(name);
            String here = place + "/" + name;
            if (held.length == 0 && group.isRequired(name)) {
                findings.add(new Finding("error", "RequiredStructure", here, "required, missing"));
            }
            if (isExtra(name, group)) {
                findings.add(unexpected(name, here));
            }
            for (int i = 0; i < held.length; i++) {
                String one = held.length > 1 ? here + "(" + i + ")" : here;
                if (held[i] instanceof Group inner) {
                    walk(inner, one, findings);
                } else if (!held[i].isEmpty()) {
                    fields((Segment) held[i], one, findings);
                } else if (group.isRequired(name)) {
                    findings.add(new Finding("error", "RequiredStructure", one, "required, empty"));
                }
            }
        }
    }

    /** HAPI adds a segment that it did not expect to the group's names where it met it. */
    private static boolean isExtra(String name, Group group) {
        return group instanceof AbstractGroup known
                && known.getNonStandardNames().contains(name);
    }

    /** A segment of a site's own (Z) may be agreed between two sites; any other is misplaced. */
    private static Finding unexpected(String name, String place) {
        return name.startsWith("Z")
                ? new Finding("warning", "LocalSegment", place, "not of the structure, a site's own")
                : new Finding("error", "UnexpectedSegment", place, "not of the structure");
    }

    private static void fields(Segment segment, String place, List<Finding> findings)
            throws HL7Exception {
        int known = known(segment);
        for (int number = first(segment); number <= segment.numFields(); number++) {
            String here = place + "-" + number;
            Type[] repetitions = segment.getField(number);
            if (number > known) {
                findings.add(new Finding("error", "UnknownField", here, "not of the segment"));
                continue;
            }
            if (segment.isRequired(number) && allEmpty(repetitions)) {
                findings.add(new Finding("error", "RequiredField", here, "required, missing"));
            }
            int most = segment.getMaxCardinality(number);
            if (most > 0 && repetitions.length > most) {
                String message = repetitions.length + " repetitions, at most " + most;
                findings.add(new Finding("error", "TooManyRepetitions", here, message));
            }
            for (Type repetition : repetitions) {
                value(repetition, segment.getLength(number), here, findings);
            }
        }
    }

    /** How many fields 2.4 gives the segment: one that was parsed has grown by what was too many. */
    private static int known(Segment segment) throws HL7Exception {
        if (segment instanceof GenericSegment) {
            return Integer.MAX_VALUE; // a segment of a site's own
        }
        try {
            ModelClassFactory factory = segment.getMessage().getParser().getFactory();
            return segment.getClass()
                    .getConstructor(Group.class, ModelClassFactory.class)
                    .newInstance(segment.getParent(), factory)
                    .numFields();
        } catch (ReflectiveOperationException broken) {
            throw new HL7Exception(broken);
        }
    }

    /** MSH-1 and MSH-2 are the delimiters themselves. */
    private static int first(Segment segment) {
        return segment.getName().equals("MSH") ? 3 : 1;
    }

    private static boolean allEmpty(Type[] repetitions) throws HL7Exception {
        for (Type repetition : repetitions) {
            if (!repetition.isEmpty()) {
                return false;
            }
        }
        return true;
    }

    private static void value(Type value, int most, String place, List<Finding> findings)
            throws HL7Exception {
        int length = value.encode().length();
        if (most > 0 && length > most) {
            String message = length + " characters, at most " + most;
            findings.add(new Finding("warning", "TooLong", place, message));
        }
        components(value, place, findings);
    }

    private static void components(Type value, String place, List<Finding> findings) {
        if (value.getExtraComponents().numComponents() > 0) {
            String message = "more components than " + value.getName() + " has";
            findings.add(new Finding("error", "UnknownComponent", place, message));
        }
        if (value instanceof Varies varies) {
            components(varies.getData(), place, findings);
        } else if (value instanceof Composite composite) {
            Type[] inner = composite.getComponents();
            for (int i = 0; i < inner.length; i++) {
                components(inner[i], place + "." + (i + 1), findings);
            }
        }
    }

    private static void compare(String raw, String again, List<Finding> findings) {
        List<String> before = segments(raw);
        List<String> after = segments(again);
        if (before.size() != after.size()) {
            String message = before.size() + " segments in, " + after.size() + " out";
            findings.add(new Finding("error", "SegmentsLost", "", message));
        }
        for (int i = 0; i < Math.min(before.size(), after.size()); i++) {
            String was = before.get(i);
            String is = after.get(i);
            if (!was.equals(is)) {
                String place = was.substring(0, Math.min(3, was.length())) + "(" + i + ")";
                findings.add(difference(was, is, place));
            }
        }
    }

    private static Finding difference(String was, String is, String place) {
        String message = "written again: " + was + "  !=  " + is;
        String trimmed = trimmed(was);
        if (trimmed.equals(trimmed(is))) {
            return new Finding("warning", "Trimmed", place, message);
        }
        if (escapesAgain(trimmed).equals(trimmed(is))) {
            return new Finding("error", "EscapeAgain", place, message);
        }
        return new Finding("error", "WrittenDifferently", place, message);
    }

    /** HAPI takes white space away where a value begins, and a last value of nothing else whole. */
    private static String trimmed(String segment) {
        String begins = segment.replaceAll("(?U)([|^~&])\\s+", "$1");
        return begins.replaceAll("[\\^&]+(?=[|~]|$)", "")
                .replaceAll("~+(?=\\||$)", "")
                .replaceAll("\\|+$", "");
    }

    /** A text that holds the letters of an escape sequence: HAPI writes it as the sequence. */
    private static String escapesAgain(String segment) {
        return segment.replaceAll(
                "\\\\E\\\\((?:\\.[a-z]{2}|X[0-9A-F]+)[^\\\\|^~&]*)\\\\E\\\\", "\\\\$1\\\\");
    }

    private static List<String> segments(String message) {
        return Arrays.stream(message.split("[\r\n]+")).filter(s -> !s.isBlank()).toList();
    }
}
