import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.LoginApi;
import org.openapitools.client.api.SessionsApi;
import org.openapitools.client.api.UsersApi;
import org.openapitools.client.model.Introspection;
import org.openapitools.client.model.Problem;
import org.openapitools.client.model.StartedLogin;
import org.openapitools.client.model.TokenPair;

/** Logs a person in through the client that openapi-generator makes for Java. */
public class Login {
    private static PrintStream out;

    public static void main(String[] arguments) throws Exception {
        out = new PrintStream(System.out, true, "UTF-8");
        ApiClient site = new ApiClient().setBasePath(System.getenv("AUTH_URL"));
        site.setUsername(System.getenv("SITE_ID"));
        site.setPassword(System.getenv("SITE_SECRET"));
        LoginApi login = new LoginApi(site);
        SessionsApi sessions = new SessionsApi(site);

        StartedLogin started = login.startLogin("yandex", System.getenv("REDIRECT_URL")).execute();
        tell("state", started.getState());
        tell("authorize_url", started.getAuthorizeUrl());

        String code = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).readLine();
        TokenPair pair = login.finishLogin("yandex", started.getState()).code(code).execute();
        tell("token_type", pair.getTokenType().getValue());
        tell("expires_in", pair.getExpiresIn());
        tell("name", usersOf(pair.getAccessToken()).getProfile().execute().getName());

        TokenPair next = sessions.refreshTokens(pair.getRefreshToken()).execute();
        tell("refreshed", !next.getRefreshToken().equals(pair.getRefreshToken()));

        Introspection introspection = sessions.introspectToken(next.getAccessToken()).execute();
        tell("active", introspection.getActive());
        tell("audience", introspection.getAud().get(0));

        sessions.revokeToken(next.getRefreshToken()).execute();
        tell("ended", problemOf(() -> usersOf(next.getAccessToken()).getProfile().execute()).getType().getValue());
        Problem refusal = problemOf(() -> login.finishLogin("yandex", "not-a-state").code("not-a-code").execute());
        tell("refused", refusal.getType().getValue());
        tell("message", refusal.getUserMessage());
        // The client's connections would keep the process for minutes.
        System.exit(0);
    }

    private interface Call {
        void make() throws ApiException;
    }

    private static UsersApi usersOf(String accessToken) {
        ApiClient person = new ApiClient().setBasePath(System.getenv("AUTH_URL"));
        person.setBearerToken(accessToken);
        return new UsersApi(person);
    }

    private static Problem problemOf(Call call) throws Exception {
        try {
            call.make();
        } catch (ApiException refusal) {
            return Problem.fromJson(refusal.getResponseBody());
        }
        throw new IllegalStateException("It was not refused.");
    }

    private static void tell(String name, Object value) {
        out.println(name + " " + value);
    }
}
