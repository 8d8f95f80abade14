package example.ecaf.conformance;

import java.nio.file.Path;
import java.util.List;

/** Judges one document after the other; made once for a run, because making one takes seconds. */
interface Oracle {
    /** Returns everything that is to be said about the document in the file, nothing left out. */
    List<Finding> judge(Path file) throws Exception;
}
