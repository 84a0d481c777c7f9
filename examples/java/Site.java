// A site that logs people in through Auth-movies, whole, in one file. Java 17 or newer, the JDK alone.
// To try it, run `npm start` in a copy of the service, and in a second terminal
//   npm run site -- add --name Example --redirect-url http://127.0.0.1:8000/return
// Paste the line `export AUTH=…` of its answer, run `java examples/java/Site.java`, and open http://127.0.0.1:8000/
// For production: https in REDIRECT_URL by a proxy on this machine (it listens on 127.0.0.1:SITE_PORT); sessions in
// Redis or a database, each with a lock, the tokens encrypted; a limit for the login button; your own words and pages.
import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.*;
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.regex.*;

/** One request of a visitor. */
public class Site {
    static final String AUTH = System.getenv("AUTH"), REDIRECT_URL = System.getenv("REDIRECT_URL");
    static final URI SITE = URI.create(Objects.requireNonNullElse(REDIRECT_URL, ""));
    static final String ORIGIN = SITE.getScheme() + "://" + SITE.getAuthority();
    static final String CREDENTIALS = System.getenv("SITE_ID") + ":" + System.getenv("SITE_SECRET");
    static final String BASIC = "Basic " + Base64.getEncoder().encodeToString(CREDENTIALS.getBytes(UTF_8));
    static final Map<String, String> ERRORS = Map.of("access_denied", "You did not allow the login. You may try again.",
        "login_expired", "This login took too long. Please log in again.");
    static final String OTHER = "The login did not succeed. Please try again, or choose another way.";
    static final String FOREIGN = "This login did not begin in this browser, or it is over. Please log in here.";
    static final String LATER = "Logging in does not work at the moment. Please try again a little later.";
    static final HttpClient CLIENT = HttpClient.newHttpClient(); // follows no redirect: it would make a GET of a POST
    static final Map<String, Session> SESSIONS = new ConcurrentHashMap<>();

    /** What is kept of a browser, which has the random id alone. A request locks it, so that all wait for one refresh. */
    static class Session {
        String id = "", message, access, refresh;
        Instant ends;
        final List<String> states = new ArrayList<>();
    }

    /** Its message is for the visitor. The status is 0 where the service did not answer. */
    static class Failure extends Exception {
        final int status;
        final String error;

        Failure(String message, int status, String error) {
            super(message);
            this.status = status;
            this.error = error;
        }
    }

    /** JSON, which the JDK cannot read: members by name or number, or the text of a value. Its syntax is not checked. */
    record Json(Map<String, Json> members, String text) {
        static final Pattern TOKEN = Pattern.compile(
            "\\G[\\s:,]*+([{}\\[\\]]|\"(?:[^\"\\\\]++|\\\\.)*+\"|-?\\d[\\d.eE+-]*|true|false|null)");

        static Json read(Matcher tokens, String token) {
            Json json = new Json(new LinkedHashMap<>(), token.equals("null") ? null : unescape(token));
            if (token.equals("{") || token.equals("["))
                for (String next = next(tokens); !next.equals("}") && !next.equals("]"); next = next(tokens))
                    if (token.equals("{")) json.members.put(unescape(next), read(tokens, next(tokens)));
                    else json.members.put(String.valueOf(json.members.size()), read(tokens, next));
            return json;
        }

        static String next(Matcher tokens) {
            if (!tokens.find()) throw new IllegalArgumentException("no JSON");
            return tokens.group(1);
        }

        static String unescape(String token) {
            String text = token.startsWith("\"") ? token.substring(1, token.length() - 1) : token;
            return Pattern.compile("\\\\(?:u(.{4})|.)").matcher(text).replaceAll(one -> Matcher.quoteReplacement(
                one.group(1) != null ? Character.toString(Integer.parseInt(one.group(1), 16))
                    : one.group().replace("\\/", "/").translateEscapes())); // Java knows all of JSON's but this one
        }

        /** The text of a member; null where there is none. */
        String get(String name) {
            return members.containsKey(name) ? members.get(name).text : null;
        }
    }

    final HttpExchange http;
    final Session session;

    Site(HttpExchange http) {
        this.http = http;
        Matcher cookie = Pattern.compile("(?:^|; )session=([\\w-]+)").matcher(header("Cookie", ""));
        session = SESSIONS.getOrDefault(cookie.find() ? cookie.group(1) : "", new Session());
    }

    String header(String name, String otherwise) {
        return Objects.requireNonNullElse(http.getRequestHeaders().getFirst(name), otherwise);
    }

    /** Gives the browser a new session id. */
    void openSession() {
        SESSIONS.remove(session.id);
        session.id = UUID.randomUUID().toString();
        SESSIONS.put(session.id, session);
        String attributes = "; Path=/; HttpOnly; SameSite=Lax" + (ORIGIN.startsWith("https:") ? "; Secure" : "");
        http.getResponseHeaders().set("Set-Cookie", "session=" + session.id + attributes);
    }

    void closeSession() {
        SESSIONS.remove(session.id);
        session.access = session.refresh = null;
    }

    /** Asks the service, by POST where there is a form. */
    Json call(String path, Map<String, String> form, String authorization) throws Failure {
        // A finish may take 10 seconds; a refresh whose answer is lost is repeated within 10.
        Duration limit = Duration.ofSeconds(path.endsWith("/authorize/") ? 12 : 4);
        var request = HttpRequest.newBuilder(URI.create(AUTH + path)).timeout(limit)
            .header("Authorization", authorization).header("Accept-Language", header("Accept-Language", "en"));
        if (form != null)
            request.header("Content-Type", "application/x-www-form-urlencoded")
                .POST(HttpRequest.BodyPublishers.ofString(String.join("&", form.entrySet().stream()
                    .map(one -> one.getKey() + "=" + URLEncoder.encode(one.getValue(), UTF_8)).toList())));
        int status = 0;
        Json body = new Json(Map.of(), null);
        try {
            var answer = CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
            Matcher tokens = Json.TOKEN.matcher(answer.body());
            if (!answer.body().isEmpty()) body = Json.read(tokens, Json.next(tokens)); // revoke answers with nothing
            status = answer.statusCode();
        } catch (IOException | InterruptedException | IllegalArgumentException error) {
            System.err.println(path + " " + error);
        }
        if (status == 200) return body;
        System.err.println(Arrays.asList(path, status, body.get("type"), body.get("request_id"), body.get("detail")));
        throw new Failure(Objects.requireNonNullElse(body.get("user_message"), LATER), status, body.get("error"));
    }

    void keep(Json tokens) {
        session.access = tokens.get("access_token");
        session.refresh = tokens.get("refresh_token");
        session.ends = Instant.now().plusSeconds(Long.parseLong(tokens.get("expires_in")));
    }

    void refresh(boolean again) throws Failure {
        try {
            keep(call("/api/v1/oauth/refresh/", Map.of("refresh_token", session.refresh), BASIC));
        } catch (Failure failure) {
            if ("invalid_grant".equals(failure.error)) closeSession(); // ended; any other failure keeps the pair
            if (!again || (failure.status > 0 && failure.status < 500)) throw failure;
            refresh(false); // the answer was lost: once more with the same token, which gives the same pair
        }
    }

    /** Who it is: id is the key of your users, never the email. */
    Json me() throws Failure {
        if (session.ends.isBefore(Instant.now().plusSeconds(60))) refresh(true);
        try {
            return call("/api/v1/me/", null, "Bearer " + session.access);
        } catch (Failure failure) {
            if (failure.status != 401) throw failure;
            refresh(true); // the token is refused: this tells whether the session has ended
            return call("/api/v1/me/", null, "Bearer " + session.access);
        }
    }

    String home() throws Failure {
        if (session.access != null) {
            Json who = me();
            String name = Objects.requireNonNullElse(who.get("name"), who.get("id"));
            return "<b>" + escape(name) + "</b><form method='post' action='/logout'><button>Log out</button></form>";
        }
        String buttons = "";
        for (Json one : call("/api/v1/oauth/providers/", null, BASIC).members.get("providers").members.values())
            buttons += "<button name='provider' value='%s' %s>%s</button> ".formatted(escape(one.get("name")),
                one.get("available").equals("true") ? "" : "disabled", escape(one.members.get("title").get("en")));
        return "<form method='post' action='/login'>" + buttons + "</form>";
    }

    String login() throws Failure, IOException {
        var form = parse(new String(http.getRequestBody().readNBytes(1_000), UTF_8));
        Json start = call("/api/v1/oauth/authorize-url/",
            Map.of("provider", form.getOrDefault("provider", ""), "client_redirect_url", REDIRECT_URL), BASIC);
        if (session.id.isEmpty()) openSession();
        session.states.add(start.get("state")); // several: a person may log in in two tabs
        if (session.states.size() > 5) session.states.remove(0);
        return start.get("authorize_url");
    }

    String loginReturn() throws Failure {
        var query = parse(Objects.requireNonNullElse(http.getRequestURI().getRawQuery(), ""));
        String state = query.getOrDefault("state", ""), error = query.get("error");
        boolean ours = session.states.contains(state);
        if (!ours && session.access == null) throw new Failure(FOREIGN, 400, null);
        // The state stays: the person may go back and agree.
        if (ours && error != null) throw new Failure(ERRORS.getOrDefault(error, OTHER), 400, null);
        if (ours) {
            session.states.remove(state);
            query.keySet().retainAll(Set.of("provider", "state", "code")); // as they came
            keep(call("/api/v1/oauth/authorize/", query, BASIC));
            openSession(); // with a new id
        }
        return "/"; // an address without state and code
    }

    String logout() {
        String token = session.refresh;
        closeSession();
        try {
            if (token != null) call("/api/v1/oauth/revoke/", Map.of("token", token), BASIC);
        } catch (Failure failure) { // it is in the log
        }
        return "/";
    }

    static Map<String, String> parse(String form) {
        Map<String, String> values = new HashMap<>();
        for (String field : form.split("&")) {
            String[] pair = (field + "=").split("=", 3);
            values.put(pair[0], URLDecoder.decode(pair[1], UTF_8));
        }
        return values;
    }

    static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&#39;").replace("\"", "&#34;");
    }

    void send(int status, String message, String body) throws IOException {
        String alert = message == null ? "" : "<p role='alert'>" + escape(message) + "</p>";
        byte[] page = ("<!doctype html><title>My site</title><h1>My site</h1>" + alert + body).getBytes(UTF_8);
        http.sendResponseHeaders(status, page.length);
        http.getResponseBody().write(page);
    }

    void answer() throws IOException {
        String path = http.getRequestURI().getPath(), route = http.getRequestMethod() + " " + path;
        Map.of("Content-Type", "text/html; charset=utf-8", "Cache-Control", "no-store", "Referrer-Policy", "same-origin",
            "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
            .forEach(http.getResponseHeaders()::set);
        // A form of another site must not log anybody in or out.
        boolean alien = route.startsWith("POST ") && !header("Origin", ORIGIN).equals(ORIGIN);
        String goOn = "<p><a href='/'>Go on</a></p>";
        try {
            String result = alien ? null : switch (route) {
                case "GET /" -> home();
                case "POST /login" -> login();
                case "POST /logout" -> logout();
                default -> route.equals("GET " + SITE.getPath()) ? loginReturn() : null;
            };
            if (result == null) send(404, "Please open " + ORIGIN + "/", goOn);
            else if (!path.equals("/")) redirect(result);
            else {
                send(200, session.message, result);
                session.message = null;
            }
        } catch (IllegalArgumentException error) { // no form, or a header that cannot be passed on
            send(400, OTHER, goOn);
        } catch (Failure failure) {
            if (path.equals("/")) send(503, failure.getMessage(), goOn);
            else {
                if (session.id.isEmpty()) openSession();
                session.message = failure.getMessage();
                redirect("/");
            }
        }
    }

    void redirect(String location) throws IOException {
        http.getResponseHeaders().set("Location", location);
        http.sendResponseHeaders(303, -1);
    }

    public static void main(String[] arguments) throws IOException {
        if (!System.getenv().keySet().containsAll(Set.of("AUTH", "SITE_ID", "SITE_SECRET", "REDIRECT_URL"))) {
            System.err.println(
                "Please set AUTH, SITE_ID, SITE_SECRET and REDIRECT_URL, as `npm run site -- add` prints them.");
            System.exit(1);
        }
        String port = Objects.requireNonNullElse(System.getenv("SITE_PORT"), String.valueOf(SITE.getPort()));
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(port)), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", http -> {
            Site site = new Site(http);
            try (http) {
                synchronized (site.session) {
                    site.answer();
                }
            }
        });
        server.start();
        System.out.println("My site: " + ORIGIN + "/");
    }
}
