import java.io.BufferedReader;
import java.io.InputStreamReader;

import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtException;

/** Prints the user of each token that comes by standard input, a line each, or "refused"; Sample is the guide's. */
public class Check {
    public static void main(String[] arguments) throws Exception {
        JwtDecoder decoder = new Sample().accessTokens(System.getenv("AUTH"), System.getenv("SITE_ID"));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                System.out.println(decoder.decode(line).getSubject());
            } catch (JwtException refusal) {
                System.out.println("refused " + refusal.getMessage());
            }
        }
    }
}
