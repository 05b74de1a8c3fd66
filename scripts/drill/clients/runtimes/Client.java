import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * A client as a Java program has it: java.net.http.HttpClient with its own pool, and the JVM's resolver, which keeps an
 * answer for 30 s whatever its TTL (networkaddress.cache.ttl). How a drill talks with it is told in runtime-client.ts.
 */
public class Client {
  private static final String URL = System.getenv("DRILL_URL");
  private static final String BODY = System.getenv("DRILL_BODY");
  private static final String CA_FILE = System.getenv("DRILL_CA_FILE");
  private static final double PERIOD_MS = Double.parseDouble(System.getenv("DRILL_PERIOD_MS"));
  private static final long TIMEOUT_MS = Math.round(Double.parseDouble(System.getenv("DRILL_TIMEOUT_MS")));
  private static final int MAX_IN_FLIGHT = (int) Math.ceil(TIMEOUT_MS / PERIOD_MS) + 1;
  private static final Pattern CHOICES = Pattern.compile("\"choices\"\\s*:\\s*\\[");

  private final HttpClient http;
  private final HttpRequest request;
  private final double offsetMs;
  private final Set<Long> open = ConcurrentHashMap.newKeySet();
  private long seq = 0;

  private Client(HttpClient http, String key, double clockMs) {
    this.http = http;
    this.offsetMs = clockMs - System.nanoTime() / 1e6;
    this.request =
        HttpRequest.newBuilder(URI.create(URL))
            .timeout(Duration.ofMillis(TIMEOUT_MS))
            .header("authorization", "Bearer " + key)
            .header("content-type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(BODY))
            .build();
  }

  public static void main(String[] args) throws Exception {
    HttpClient http = newHttpClient();
    tell("{\"ready\":" + quote("Java " + System.getProperty("java.version")) + "}");
    BufferedReader stdin = new BufferedReader(new InputStreamReader(System.in));
    String key = stdin.readLine();
    String clock = stdin.readLine();
    if (clock == null) return;
    CountDownLatch stopping = new CountDownLatch(1);
    Thread watch = new Thread(() -> waitForEnd(stdin, stopping));
    watch.setDaemon(true);
    watch.start();
    new Client(http, key, Double.parseDouble(clock)).run(stopping);
    System.exit(0);
  }

  private static void waitForEnd(BufferedReader stdin, CountDownLatch stopping) {
    try {
      while (stdin.readLine() != null) continue;
    } catch (IOException gone) {
      // the drill is gone, which is an end as well
    }
    stopping.countDown();
  }

  private void run(CountDownLatch stopping) throws InterruptedException {
    double due = now();
    while (!stopping.await(Math.round(Math.max(0, due - now()) * 1000), TimeUnit.MICROSECONDS)) {
      tick();
      due = Math.max(due + PERIOD_MS, now());
    }
    while (!open.isEmpty()) Thread.sleep(20); // each ends at its deadline
  }

  private void tick() {
    if (open.size() >= MAX_IN_FLIGHT) return;
    long own = seq++;
    double start = now();
    open.add(own);
    tell(String.format(Locale.ROOT, "{\"seq\":%d,\"start\":%.3f}", own, start));
    CompletableFuture<HttpResponse<String>> answer;
    try {
      answer = http.sendAsync(request, HttpResponse.BodyHandlers.ofString());
    } catch (RuntimeException refused) {
      end(own, start, false, null, describe(refused));
      return;
    }
    // The request's own timeout ends with the answer's headers; a deadline is for the whole.
    CompletableFuture.delayedExecutor(TIMEOUT_MS, TimeUnit.MILLISECONDS)
        .execute(
            () -> {
              end(own, start, false, null, "TIMEOUT: no answer within " + TIMEOUT_MS + " ms");
              answer.cancel(true);
            });
    answer.whenComplete(
        (response, error) -> {
          if (error != null) end(own, start, false, null, describe(error));
          else judge(own, start, response);
        });
  }

  private void judge(long own, double start, HttpResponse<String> response) {
    String body = response.body();
    if (response.statusCode() != 200) {
      end(own, start, false, response, response.statusCode() + ": " + body.substring(0, Math.min(200, body.length())));
    } else {
      boolean ok = CHOICES.matcher(body).find();
      end(own, start, ok, response, ok ? null : "the answer has no choices");
    }
  }

  private void end(long own, double start, boolean ok, HttpResponse<String> response, String error) {
    if (!open.contains(own)) return;
    String status = response == null ? "null" : String.valueOf(response.statusCode());
    String site = response == null ? null : response.headers().firstValue("x-failover-site").orElse(null);
    String line =
        String.format(
            Locale.ROOT,
            "{\"seq\":%d,\"start\":%.3f,\"end\":%.3f,\"ok\":%b,\"status\":%s,\"site\":%s,\"error\":%s}",
            own, start, now(), ok, status, quote(site), quote(error));
    // Told before it is taken off the list: the program ends when the list is empty.
    synchronized (open) {
      if (!open.contains(own)) return;
      tell(line);
      open.remove(own);
    }
  }

  private double now() {
    return offsetMs + System.nanoTime() / 1e6;
  }

  private static HttpClient newHttpClient() throws Exception {
    if (CA_FILE == null) return HttpClient.newHttpClient();
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null, null);
    try (InputStream file = new FileInputStream(CA_FILE)) {
      for (Certificate each : CertificateFactory.getInstance("X.509").generateCertificates(file)) {
        trusted.setCertificateEntry("ca-" + trusted.size(), each);
      }
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(trusted);
    SSLContext tls = SSLContext.getInstance("TLS");
    tls.init(null, trust.getTrustManagers(), null);
    return HttpClient.newBuilder().sslContext(tls).build();
  }

  private static String describe(Throwable error) {
    Throwable cause = error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
    Throwable said = cause;
    while (said.getMessage() == null && said.getCause() != null) said = said.getCause();
    return cause.getClass().getSimpleName() + ": " + (said.getMessage() == null ? said : said.getMessage());
  }

  private static String quote(String text) {
    if (text == null) return "null";
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') quoted.append('\\').append(c);
      else if (c < ' ' || c > '~') quoted.append(String.format("\\u%04x", (int) c));
      else quoted.append(c);
    }
    return quoted.append('"').toString();
  }

  private static synchronized void tell(String line) {
    System.out.println(line);
    System.out.flush();
  }
}
