// A site that logs people in through Auth-movies by OpenID Connect, with Spring Security. Java 17 or newer, and Maven.
// To try it, run `npm start` in a copy of the service, and in a second terminal
//   npm run site -- add --name Example --redirect-url http://127.0.0.1:8000/return \
//     --post-logout-redirect-url http://127.0.0.1:8000/
// Paste the line `export AUTH=…` of its answer, run `mvn -f examples/java/standard-door spring-boot:run`, and open
// http://127.0.0.1:8000/. For production: https in REDIRECT_URL, Spring Session with Redis, your own words and pages.
package site;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.net.URI;
import java.util.Objects;
import org.slf4j.LoggerFactory;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.AuthenticationException;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.client.oidc.web.logout.OidcClientInitiatedLogoutSuccessHandler;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.registration.ClientRegistrations;
import org.springframework.security.oauth2.client.registration.InMemoryClientRegistrationRepository;
import org.springframework.security.oauth2.core.OAuth2AuthenticationException;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.csrf.CsrfToken;
import org.springframework.security.web.header.writers.ReferrerPolicyHeaderWriter.ReferrerPolicy;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.servlet.view.RedirectView;
import org.springframework.web.util.HtmlUtils;

@SpringBootApplication
@RestController
public class Site {
    static final URI RETURN = URI.create(System.getenv("REDIRECT_URL"));

    public static void main(String[] arguments) {
        new SpringApplicationBuilder(Site.class).properties(
            "server.address=127.0.0.1", // for a proxy on this machine
            "server.port=" + Objects.requireNonNullElse(System.getenv("SITE_PORT"), RETURN.getPort()),
            "server.servlet.session.cookie.same-site=lax",
            "server.servlet.session.cookie.secure=" + RETURN.getScheme().equals("https")).run(arguments);
    }

    @Bean
    ClientRegistrationRepository clients() {
        return new InMemoryClientRegistrationRepository(ClientRegistrations.fromIssuerLocation(System.getenv("AUTH"))
            .registrationId("auth-movies")
            .clientId(System.getenv("SITE_ID"))
            .clientSecret(System.getenv("SITE_SECRET"))
            .redirectUri(RETURN.toString())
            .scope("openid", "profile", "email")
            .build());
    }

    /** Spring compares state, uses PKCE, checks the ID token, gives a new session id, and wants a CSRF token in forms. */
    @Bean
    SecurityFilterChain security(HttpSecurity http, ClientRegistrationRepository clients) throws Exception {
        var logout = new OidcClientInitiatedLogoutSuccessHandler(clients);
        logout.setPostLogoutRedirectUri(RETURN.resolve("/").toString());
        return http
            .oauth2Login(login -> login.loginPage("/").defaultSuccessUrl("/", true).failureHandler(Site::failed)
                .redirectionEndpoint(endpoint -> endpoint.baseUri(RETURN.getPath())))
            .logout(one -> one.logoutSuccessHandler(logout)) // the session here, then the one at the service
            .headers(headers -> headers.referrerPolicy(policy -> policy.policy(ReferrerPolicy.SAME_ORIGIN)))
            .build();
    }

    static void failed(HttpServletRequest request, HttpServletResponse response, AuthenticationException failure)
        throws IOException {
        LoggerFactory.getLogger(Site.class).warn("login failed: {}", failure.toString());
        boolean refused = failure instanceof OAuth2AuthenticationException known
            && known.getError().getErrorCode().equals("access_denied");
        String message = refused ? "You did not allow the login." : "The login did not succeed.";
        request.getSession().setAttribute("message", message);
        response.sendRedirect("/"); // an address without state and code
    }

    @GetMapping("/")
    String home(@AuthenticationPrincipal OidcUser person, CsrfToken csrf, HttpSession session) {
        Object message = session.getAttribute("message");
        session.removeAttribute("message");
        String alert = message == null ? "" : "<p role='alert'>" + message + "</p>";
        // getSubject() is the key of your users, never the email.
        String who = person == null ? "" : Objects.requireNonNullElse(person.getFullName(), person.getSubject());
        String action = person == null ? "login" : "logout";
        return """
            <!doctype html><title>My site</title><h1>My site</h1>%s<b>%s</b>
            <form method="post" action="/%s"><input type="hidden" name="%s" value="%s"><button>%s</button></form>
            """.formatted(alert, HtmlUtils.htmlEscape(who), action, csrf.getParameterName(), csrf.getToken(),
            person == null ? "Log in" : "Log out");
    }

    @PostMapping("/login")
    RedirectView login() {
        return new RedirectView("/oauth2/authorization/auth-movies");
    }
}
