<?php
// A site that logs people in through Auth-movies, whole, in one file. PHP 8.1 or newer, without packages or a framework.
// To try it, run `npm start` in a copy of the service, and in a second terminal
//   npm run site -- add --name Example --redirect-url http://127.0.0.1:8000/return
// Paste the line `export AUTH=…` of its answer, and open http://127.0.0.1:8000/ after
//   PHP_CLI_SERVER_WORKERS=8 php -S 127.0.0.1:8000 examples/php/site.php
// For production: https in REDIRECT_URL, every request sent to this file, sessions shared by all servers and encrypted.
declare(strict_types=1);

http_response_code(500); // until there is an answer
foreach (['AUTH', 'SITE_ID', 'SITE_SECRET', 'REDIRECT_URL'] as $name) {
    define($name, getenv($name) ?: exit("$name is not set: paste the line that `npm run site -- add` prints."));
}
define('ORIGIN', preg_replace('~^(\w+://[^/]+).*$~', '$1', REDIRECT_URL));
const FORM = 'Content-Type: application/x-www-form-urlencoded';
const REFUSED = 'You did not allow the login. You may try again.';
const EXPIRED = 'This login took too long. Please log in again.';
const OTHER = 'The login did not succeed. Please try again, or choose another way.';
const FOREIGN = 'This login did not begin in this browser, or it is over. Please log in here.';
const LATER = 'Logging in does not work at the moment. Please try again a little later.';

/** Its message is for the visitor, its code the status: 0 where the service did not answer. */
class Failure extends Exception {}
class InvalidGrant extends Failure {}

/** Asks the service, by POST where there is a form. */
function call(string $path, ?array $form = null, ?string $authorization = null): array
{
    $authorization ??= 'Basic ' . base64_encode(SITE_ID . ':' . SITE_SECRET);
    $language = $_SERVER['HTTP_ACCEPT_LANGUAGE'] ?? 'en';
    $stream = @fopen(AUTH . $path, 'r', false, stream_context_create(['http' => [
        'header' => ["Authorization: $authorization", "Accept-Language: $language", FORM],
        'method' => $form === null ? 'GET' : 'POST',
        'content' => http_build_query($form ?? []),
        // A finish may take 10 seconds; a refresh whose answer is lost must be repeated within 10.
        'timeout' => str_ends_with($path, '/authorize/') ? 12 : 4,
        'ignore_errors' => true, 'follow_location' => 0,
    ]]));
    $text = $stream ? stream_get_contents($stream) : null;
    $body = $text === '' ? [] : json_decode((string) $text, true); // revoke answers with nothing
    $status = is_array($body) ? (int) substr(stream_get_meta_data($stream)['wrapper_data'][0], 9, 3) : 0;
    if ($status === 200) {
        return $body;
    }
    error_log(implode(' ', [$path, $status, $body['type'] ?? '', $body['request_id'] ?? '', $body['detail'] ?? '']));
    $class = ($body['error'] ?? '') === 'invalid_grant' ? InvalidGrant::class : Failure::class;
    throw new $class($body['user_message'] ?? LATER, $status);
}

function keep(array $tokens): void
{
    $_SESSION = [...$_SESSION, ...$tokens, 'ends' => time() + $tokens['expires_in']];
    session_write_close(); // stored before anything else is done
    session_start();
}

function refresh(bool $again = true): void
{
    try {
        keep(call('/api/v1/oauth/refresh/', ['refresh_token' => $_SESSION['refresh_token']]));
    } catch (InvalidGrant $ended) {
        $_SESSION = []; // any other failure keeps the pair
        throw $ended;
    } catch (Failure $failure) {
        $lost = $failure->getCode() === 0 || $failure->getCode() >= 500;
        ($again && $lost) || throw $failure;
        refresh(false); // once more with the same token, which gives the same pair
    }
}

/** Who it is: id is the key of your users, never the email. */
function me(): array
{
    if ($_SESSION['ends'] - time() <= 60) {
        refresh();
    }
    try {
        return call('/api/v1/me/', null, "Bearer {$_SESSION['access_token']}");
    } catch (Failure $failure) {
        $failure->getCode() === 401 || throw $failure;
    }
    refresh(); // the token was refused: this tells whether the session has ended
    return call('/api/v1/me/', null, "Bearer {$_SESSION['access_token']}");
}

function home(): ?string
{
    if (isset($_SESSION['access_token'])) {
        $who = me();
        $body = '<b>' . htmlspecialchars($who['name'] ?? $who['id']) . '</b>'
            . '<form method="post" action="/logout"><button>Log out</button></form>';
    } else {
        $body = '<form method="post" action="/login">';
        foreach (call('/api/v1/oauth/providers/')['providers'] as $one) {
            $attributes = 'value="' . htmlspecialchars($one['name']) . '"' . ($one['available'] ? '' : ' disabled');
            $body .= "<button name=\"provider\" $attributes>" . htmlspecialchars($one['title']['en']) . '</button> ';
        }
        $body .= '</form>';
    }
    page(200, $_SESSION['message'] ?? null, $body);
    unset($_SESSION['message']);
    return null;
}

function login(): string
{
    $form = ['provider' => (string) filter_input(INPUT_POST, 'provider'), 'client_redirect_url' => REDIRECT_URL];
    ['state' => $state, 'authorize_url' => $url] = call('/api/v1/oauth/authorize-url/', $form);
    // Several: a person may log in in two tabs.
    $_SESSION['states'] = array_slice([...($_SESSION['states'] ?? []), $state], -5);
    return $url;
}

function loginReturn(): string
{
    // As they came; null where there is none.
    $answer = filter_input_array(INPUT_GET, array_fill_keys(['provider', 'state', 'code', 'error'], FILTER_DEFAULT));
    $states = $_SESSION['states'] ?? [];
    if (!in_array($answer['state'], $states, true)) {
        return isset($_SESSION['access_token']) ? '/' : throw new Failure(FOREIGN);
    }
    if ($answer['error'] !== null) { // the state stays: the person may go back and agree
        throw new Failure(['access_denied' => REFUSED, 'login_expired' => EXPIRED][$answer['error']] ?? OTHER);
    }
    $_SESSION['states'] = array_values(array_diff($states, [$answer['state']]));
    $tokens = call('/api/v1/oauth/authorize/', $answer);
    session_regenerate_id(true);
    keep($tokens);
    return '/'; // an address without state and code
}

function logout(): string
{
    $token = $_SESSION['refresh_token'] ?? null;
    $_SESSION = [];
    session_regenerate_id(true);
    try {
        $token === null || call('/api/v1/oauth/revoke/', ['token' => $token]);
    } catch (Failure) { // it is in the log
    }
    return '/';
}

function page(int $status, ?string $message, string $body = '<p><a href="/">Go on</a></p>'): ?string
{
    http_response_code($status);
    header("Content-Security-Policy: default-src 'none'; frame-ancestors 'none'");
    $alert = $message === null ? '' : '<p role="alert">' . htmlspecialchars($message) . '</p>';
    echo "<!doctype html><title>My site</title><h1>My site</h1>$alert$body";
    return null;
}

session_name('session');
// With SameSite=Strict the cookie would not come back from the provider.
session_set_cookie_params(['httponly' => true, 'samesite' => 'Lax', 'secure' => str_starts_with(ORIGIN, 'https:')]);
// Locks the session until this request ends, so that all its requests wait for one refresh.
session_start(['use_strict_mode' => true, 'gc_maxlifetime' => 30 * 24 * 3600]);
header('Referrer-Policy: same-origin');
['REQUEST_METHOD' => $method, 'REQUEST_URI' => $uri] = $_SERVER;
$path = parse_url($uri, PHP_URL_PATH);
// A form of another site must not log anybody in or out.
$alien = $method === 'POST' && ($_SERVER['HTTP_ORIGIN'] ?? ORIGIN) !== ORIGIN;
try {
    $location = match ($alien ? '' : "$method $path") {
        'GET /' => home(),
        'POST /login' => login(),
        'GET ' . parse_url(REDIRECT_URL, PHP_URL_PATH) => loginReturn(),
        'POST /logout' => logout(),
        default => page(404, 'Please open ' . ORIGIN . '/'),
    };
} catch (Failure $failure) {
    $location = $path === '/' ? page(503, $failure->getMessage()) : '/';
    $_SESSION['message'] = $path === '/' ? null : $failure->getMessage();
}
if ($location !== null) {
    header("Location: $location", true, 303);
}
