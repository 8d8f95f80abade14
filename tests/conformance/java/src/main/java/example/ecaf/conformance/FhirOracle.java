package example.ecaf.conformance;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.context.support.ValidationSupportContext;
import ca.uhn.fhir.parser.IParser;
import ca.uhn.fhir.parser.StrictErrorHandler;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.SingleValidationMessage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirDefaultPolicyAdvisor;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r4.model.MetadataResource;
import org.hl7.fhir.r4.model.StructureDefinition;
import org.hl7.fhir.r5.elementmodel.Element;
import org.hl7.fhir.r5.model.CanonicalResource;
import org.hl7.fhir.r5.model.CanonicalType;
import org.hl7.fhir.r5.utils.validation.IResourceValidator;
import org.hl7.fhir.r5.utils.validation.IValidationPolicyAdvisor;
import org.hl7.fhir.r5.utils.validation.IValidatorResourceFetcher;
import org.hl7.fhir.r5.utils.validation.constants.BestPracticeWarningLevel;
import org.hl7.fhir.r5.utils.validation.constants.ReferenceValidationPolicy;

/**
 * HL7's instance validator as HAPI FHIR packs it, with the R4 definitions and terminology of its own
 * artefacts and nothing from a network.
 *
 * <p>Stricter than its defaults in three things: references inside a Bundle are followed and the type
 * of their target is checked (the default ignores references), best practice is a warning, and an
 * extension that nobody publishes is an error.
 */
final class FhirOracle implements Oracle {
    private final FhirValidator validator;

    FhirOracle(Path artefacts) throws IOException {
        FhirContext context = FhirContext.forR4();
        Published ours = new Published(context);
        load(context, artefacts, ours);
        ValidationSupportChain chain =
                new ValidationSupportChain(
                        ours,
                        new DefaultProfileValidationSupport(context),
                        new CommonCodeSystemsTerminologyService(context),
                        new InMemoryTerminologyServerValidationSupport(context),
                        new SnapshotGeneratingValidationSupport(context));
        // A concept may be said in several systems; a binding asks for one of them (R4, 4.1.5).
        chain.setCodeableConceptValidationSuccessfulIfNotAllCodingsAreValid(true);
        ours.expand(chain);
        FhirInstanceValidator module = new FhirInstanceValidator(chain);
        // An extension of ours that we do not publish is an error; those of UK Core we do not have.
        module.setAnyExtensionsAllowed(false);
        module.setCustomExtensionDomains("https://fhir.hl7.org.uk/");
        module.setBestPracticeWarningLevel(BestPracticeWarningLevel.Warning);
        module.setValidatorPolicyAdvisor(new FollowReferences());
        module.setValidatorResourceFetcher(new NothingElse());
        validator = context.newValidator().registerValidatorModule(module);
    }

    private static void load(
            FhirContext context, Path artefacts, Published ours) throws IOException {
        IParser parser = context.newJsonParser().setParserErrorHandler(new StrictErrorHandler());
        try (Stream<Path> files = Files.walk(artefacts)) {
            for (Path file : files.filter(f -> f.toString().endsWith(".json")).sorted().toList()) {
                ours.addResource(parser.parseResource(Files.readString(file)));
            }
        }
    }

    @Override
    public List<Finding> judge(Path file) throws IOException {
        List<Finding> findings = new ArrayList<>();
        for (SingleValidationMessage said :
                validator.validateWithResult(Files.readString(file)).getMessages()) {
            findings.add(
                    new Finding(
                            said.getSeverity().getCode(),
                            String.valueOf(said.getMessageId()),
                            String.valueOf(said.getLocationString()),
                            said.getMessage()));
        }
        return findings;
    }

    /** Our artefacts by address, with and without version; HAPI's own class forgets Questionnaires. */
    private static final class Published extends PrePopulatedValidationSupport {
        private final Map<String, IBaseResource> others = new HashMap<>();

        Published(FhirContext context) {
            super(context);
        }

        @Override
        public void addResource(IBaseResource resource) {
            super.addResource(resource);
            if (resource instanceof MetadataResource published) {
                others.put(published.getUrl(), resource);
                others.put(published.getUrl() + "|" + published.getVersion(), resource);
            }
        }

        /** Makes the snapshot of every definition of ours, so that one that cannot be made ends all. */
        void expand(ValidationSupportChain chain) {
            ValidationSupportContext context = new ValidationSupportContext(chain);
            for (IBaseResource one : List.copyOf(others.values())) {
                if (one instanceof StructureDefinition ours && !ours.hasSnapshot()) {
                    IBaseResource made =
                            chain.generateSnapshot(context, ours, ours.getUrl(), null, ours.getName());
                    if (!(made instanceof StructureDefinition whole) || !whole.hasSnapshot()) {
                        throw new IllegalArgumentException(ours.getUrl() + ": no snapshot");
                    }
                }
            }
        }

        @Override
        public <T extends IBaseResource> T fetchResource(Class<T> kind, String address) {
            IBaseResource found = others.get(address);
            if (kind == null || kind.isInstance(found)) {
                @SuppressWarnings("unchecked") // without a kind, any is asked for
                T asked = (T) found;
                return asked;
            }
            return super.fetchResource(kind, address);
        }
    }

    /** Follows each reference that can be followed; one inside the Bundle must lead somewhere. */
    private static final class FollowReferences extends FhirDefaultPolicyAdvisor {
        @Override
        public ReferenceValidationPolicy policyForReference(
                IResourceValidator by,
                Object application,
                String path,
                String url,
                IValidationPolicyAdvisor.ReferenceDestinationType kind) {
            return url.startsWith("urn:")
                    ? ReferenceValidationPolicy.CHECK_EXISTS_AND_TYPE
                    : ReferenceValidationPolicy.CHECK_TYPE_IF_EXISTS;
        }
    }

    /** There is nothing outside the document and the artefacts: what is not here is not found. */
    private static final class NothingElse implements IValidatorResourceFetcher {
        @Override
        public Element fetch(IResourceValidator by, Object application, String url) {
            return null;
        }

        @Override
        public boolean resolveURL(
                IResourceValidator by,
                Object application,
                String path,
                String url,
                String type,
                boolean canonical,
                List<CanonicalType> targets) {
            return true; // an absolute address may well exist where we cannot look
        }

        @Override
        public byte[] fetchRaw(IResourceValidator by, String url) throws IOException {
            throw new IOException("nothing is fetched");
        }

        @Override
        public IValidatorResourceFetcher setLocale(Locale locale) {
            return this;
        }

        @Override
        public CanonicalResource fetchCanonicalResource(
                IResourceValidator by, Object application, String url) {
            return null;
        }

        @Override
        public boolean fetchesCanonicalResource(IResourceValidator by, String url) {
            return false;
        }

        @Override
        public Set<ResourceVersionInformation> fetchCanonicalResourceVersions(
                IResourceValidator by, Object application, String url) {
            return Set.of();
        }
    }
}
