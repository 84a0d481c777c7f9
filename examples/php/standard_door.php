<?php
// A site that logs people in through Auth-movies by OpenID Connect. PHP 8.1 or newer, without packages or a framework.
// To try it, run `npm start` in a copy of the service, and in a second terminal
//   npm run site -- add --name Example --redirect-url http://127.0.0.1:8000/return
// Paste the line `export AUTH=…` of its answer, and open http://127.0.0.1:8000/ after
//   php -S 127.0.0.1:8000 examples/php/standard_door.php
// For production: https in AUTH and REDIRECT_URL, every request sent to this file, sessions shared by all servers.
declare(strict_types=1);

http_response_code(500); // until there is an answer
foreach (['AUTH', 'SITE_ID', 'SITE_SECRET', 'REDIRECT_URL'] as $name) {
    define($name, getenv($name) ?: exit("$name is not set: paste the line that `npm run site -- add` prints."));
}
define('ORIGIN', preg_replace('~^(\w+://[^/]+).*$~', '$1', REDIRECT_URL));

/** Asks the service, by POST where there is a form. Throws where it says no, or nothing. */
function ask(string $url, ?array $form = null): array
{
    $stream = @fopen($url, 'r', false, stream_context_create(['http' => [
        'method' => $form === null ? 'GET' : 'POST',
        'header' => [
            'Authorization: Basic ' . base64_encode(SITE_ID . ':' . SITE_SECRET),
            'Content-Type: application/x-www-form-urlencoded',
        ],
        'content' => http_build_query($form ?? []),
        'timeout' => 12, 'ignore_errors' => true, 'follow_location' => 0,
    ]]));
    $text = $stream ? stream_get_contents($stream) : '';
    $body = json_decode($text ?: '{}', true); // revocation answers with nothing
    $ok = $stream && preg_match('~^HTTP/\S+ 200~', stream_get_meta_data($stream)['wrapper_data'][0]);
    return $ok && is_array($body) ? $body : throw new RuntimeException("$url: " . substr((string) $text, 0, 300));
}

function addresses(): array
{
    return $_SESSION['addresses'] ??= ask(AUTH . '/.well-known/openid-configuration');
}

function random(): string
{
    return bin2hex(random_bytes(32));
}

function login(): string
{
    // One login at a time: the last one of two tabs counts.
    $login = $_SESSION['login'] = ['state' => random(), 'nonce' => random(), 'verifier' => random()];
    return addresses()['authorization_endpoint'] . '?' . http_build_query([
        'response_type' => 'code',
        'client_id' => SITE_ID,
        'redirect_uri' => REDIRECT_URL,
        'scope' => 'openid profile email',
        'state' => $login['state'],
        'nonce' => $login['nonce'],
        'code_challenge' => rtrim(strtr(base64_encode(hash('sha256', $login['verifier'], true)), '+/', '-_'), '='),
        'code_challenge_method' => 'S256',
    ]);
}

function loginReturn(): string
{
    $login = $_SESSION['login'] ?? null;
    if ($login === null || filter_input(INPUT_GET, 'state') !== $login['state']) {
        return '/'; // it did not begin in this browser, or it is over
    }
    unset($_SESSION['login']);
    if (isset($_GET['error'])) {
        $refused = $_GET['error'] === 'access_denied';
        $_SESSION['message'] = $refused ? 'You did not allow the login.' : 'The login did not succeed.';
        return '/';
    }
    $tokens = ask(addresses()['token_endpoint'], [
        'grant_type' => 'authorization_code',
        'code' => (string) filter_input(INPUT_GET, 'code'),
        'redirect_uri' => REDIRECT_URL,
        'code_verifier' => $login['verifier'],
    ]);
    // It came from the service by https, which proves who made it: its signature need not be checked (OpenID Connect
    // Core, 3.1.3.7). Who it is for, and that it belongs to this login, must be.
    $claims = json_decode(base64_decode(strtr(explode('.', $tokens['id_token'])[1], '-_', '+/')), true);
    $ours = $claims['iss'] === AUTH && in_array(SITE_ID, (array) $claims['aud'], true) && $claims['exp'] > time();
    if (!$ours || !hash_equals($login['nonce'], $claims['nonce'])) {
        throw new RuntimeException('The ID token is not for this login.');
    }
    session_regenerate_id(true);
    // sub is the key of your users, never the email.
    $_SESSION['name'] = $claims['name'] ?? $claims['sub'];
    $_SESSION['sub'] = $claims['sub'];
    $_SESSION['refresh_token'] = $tokens['refresh_token'];
    return '/'; // an address without state and code
}

function logout(): string
{
    $token = $_SESSION['refresh_token'] ?? null;
    $_SESSION = [];
    session_regenerate_id(true);
    if ($token !== null) {
        ask(addresses()['revocation_endpoint'], ['token' => $token]);
    }
    return '/';
}

function page(int $status, ?string $message, string $action, string $label, string $name = ''): void
{
    http_response_code($status);
    header("Content-Security-Policy: default-src 'none'; frame-ancestors 'none'");
    $alert = $message === null ? '' : '<p role="alert">' . htmlspecialchars($message) . '</p>';
    $form = "<form method=\"post\" action=\"$action\"><button>$label</button></form>";
    echo "<!doctype html><title>My site</title><h1>My site</h1>$alert<b>" . htmlspecialchars($name) . "</b>$form";
}

ini_set('session.use_strict_mode', true);
session_name('session');
// With SameSite=Strict the cookie would not come back from the service.
session_set_cookie_params(['httponly' => true, 'samesite' => 'Lax', 'secure' => str_starts_with(ORIGIN, 'https:')]);
session_start();
header('Referrer-Policy: same-origin');
['REQUEST_METHOD' => $method, 'REQUEST_URI' => $uri] = $_SERVER;
// A form of another site must not log anybody in or out.
$alien = $method === 'POST' && ($_SERVER['HTTP_ORIGIN'] ?? ORIGIN) !== ORIGIN;
$route = $alien ? '' : $method . ' ' . parse_url($uri, PHP_URL_PATH);
try {
    $location = match ($route) {
        'POST /login' => login(),
        'GET ' . parse_url(REDIRECT_URL, PHP_URL_PATH) => loginReturn(),
        'POST /logout' => logout(),
        default => null,
    };
} catch (RuntimeException $failure) {
    error_log($failure->getMessage());
    $_SESSION['message'] = 'This did not succeed. Please try again a little later.';
    $location = '/';
}
if ($location !== null) {
    header("Location: $location", true, 303);
} elseif ($route !== 'GET /') {
    page(404, 'Please open ' . ORIGIN . '/', '/login', 'Log in');
} else {
    [$action, $label] = isset($_SESSION['sub']) ? ['/logout', 'Log out'] : ['/login', 'Log in'];
    page(200, $_SESSION['message'] ?? null, $action, $label, $_SESSION['name'] ?? '');
    unset($_SESSION['message']);
}
