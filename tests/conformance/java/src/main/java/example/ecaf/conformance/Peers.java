package example.ecaf.conformance;

import ca.uhn.hl7v2.DefaultHapiContext;
import ca.uhn.hl7v2.HapiContext;
import ca.uhn.hl7v2.app.Connection;
import ca.uhn.hl7v2.app.HL7Service;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.parser.GenericModelClassFactory;
import ca.uhn.hl7v2.protocol.ReceivingApplication;
import ca.uhn.hl7v2.util.Terser;
import ca.uhn.hl7v2.util.idgenerator.InMemoryIDGenerator;
import ca.uhn.hl7v2.validation.impl.ValidationContextFactory;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** HAPI HL7 v2 as a peer over MLLP: {@code send PORT FILE}, or {@code serve} (see peers.mjs). */
public final class Peers {
  private static final String NAME = "hapi-hl7v2";

  private Peers() {}

  public static void main(String[] words) throws Exception {
    try (HapiContext context = new DefaultHapiContext(new GenericModelClassFactory())) {
      context.getParserConfiguration().setIdGenerator(new InMemoryIDGenerator());
      context.setValidationContext(ValidationContextFactory.noValidation());
      if (words[0].equals("send")) {
        send(context, Integer.parseInt(words[1]), Files.readString(Path.of(words[2])));
      } else {
        serve(context);
      }
    }
    System.exit(0);
  }

  private static void send(HapiContext context, int port, String text) throws Exception {
    Connection connection = context.newClient("127.0.0.1", port, false);
    Message answer = connection.getInitiator().sendAndReceive(context.getGenericParser().parse(text));
    Terser said = new Terser(answer);
    System.out.printf(
        "{\"peer\": \"%s\", \"code\": \"%s\", \"about\": \"%s\"}%n",
        NAME, said.get("/MSA-1"), said.get("/MSA-2"));
    connection.close();
  }

  private static void serve(HapiContext context) throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    HL7Service server = context.newServer(port, false);
    server.registerApplication(
        new ReceivingApplication<Message>() {
          @Override
          public boolean canProcess(Message message) {
            return true;
          }

          @Override
          public Message processMessage(Message message, Map<String, Object> metadata)
              throws ca.uhn.hl7v2.HL7Exception {
            System.out.printf(
                "{\"peer\": \"%s\", \"id\": \"%s\"}%n", NAME, new Terser(message).get("/MSH-10"));
            System.out.flush();
            try {
              return message.generateACK();
            } catch (java.io.IOException failed) {
              throw new ca.uhn.hl7v2.HL7Exception(failed);
            }
          }
        });
    server.startAndWait();
    System.out.printf("{\"%s\": %d}%n", NAME, port);
    System.out.flush();
    while (System.in.read() >= 0) {
      // until who started this is done
    }
    server.stopAndWait();
  }
}
