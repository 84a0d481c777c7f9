// A site that logs people in through Auth-movies. Go 1.24 or newer, the standard library alone: go run main.go
// Its environment has AUTH, SITE_ID, SITE_SECRET and REDIRECT_URL. It listens at the port of REDIRECT_URL, or at PORT.
package main

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

var (
	auth, redirectURL = os.Getenv("AUTH"), os.Getenv("REDIRECT_URL")
	site, _           = url.Parse(redirectURL)
	origin            = site.Scheme + "://" + site.Host
	words             = map[string]string{
		"access_denied":           "You did not allow the login. You may try again.",
		"temporarily_unavailable": "Logging in does not work at the moment. Please try again a little later.",
		"login_expired":           "The login took too long. Please log in once more.",
	}
	// No redirect is followed: it would make a GET of a POST.
	client = http.Client{
		Timeout:       12 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
)

const (
	other   = "The login did not succeed. Please try again, or choose another way."
	foreign = "This login did not begin in this browser, or it is over. Please log in here."
)

// The browser has a random id alone, everything else stays here. Yours are kept in Redis or a database, encrypted.
type session struct {
	sync.Mutex                   // held by one request at a time, so that all wait for one refresh
	id, message, access, refresh string
	states                       []string
	ends                         time.Time
}

var sessions sync.Map // from id to *session

// failure is told to the visitor. Its status is 0 where the service did not answer.
type failure struct {
	Status      int    `json:"-"`
	Message     string `json:"user_message"`
	Code        string `json:"error"`
	Type        string `json:"type"`
	ID          string `json:"request_id"`
	Detail      string `json:"detail"`
	Description string `json:"error_description"`
}

func (f *failure) Error() string { return f.Message }

// open gives the browser a new session id.
func (s *session) open(w http.ResponseWriter) {
	sessions.Delete(s.id)
	s.id = rand.Text()
	sessions.Store(s.id, s)
	http.SetCookie(w, &http.Cookie{Name: "session", Value: s.id, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: site.Scheme == "https"})
}

// call asks the service, by POST where there is a form, and reads its answer into result.
func call(r *http.Request, path string, form url.Values, token string, result any) *failure {
	method := "GET"
	if form != nil {
		method = "POST"
	}
	request, _ := http.NewRequest(method, auth+path, strings.NewReader(form.Encode()))
	request.Header.Set("Accept-Language", cmp.Or(r.Header.Get("Accept-Language"), "en"))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if request.SetBasicAuth(os.Getenv("SITE_ID"), os.Getenv("SITE_SECRET")); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	problem := &failure{Message: words["temporarily_unavailable"]}
	response, err := client.Do(request)
	if err == nil {
		defer response.Body.Close()
		var body []byte
		if body, err = io.ReadAll(response.Body); err == nil && response.StatusCode == 200 {
			if len(body) == 0 || json.Unmarshal(body, result) == nil { // revoke answers with nothing
				return nil
			}
		} else if err == nil && json.Unmarshal(body, problem) == nil {
			problem.Status = response.StatusCode
		}
	}
	log.Print(path, " ", problem.Status, " ", problem.Type, " ", problem.ID, " ", cmp.Or(problem.Description, problem.Detail))
	return problem
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Seconds int    `json:"expires_in"`
}

func (s *session) keep(t tokens) {
	s.access, s.refresh, s.ends = t.Access, t.Refresh, time.Now().Add(time.Duration(t.Seconds)*time.Second)
}

// accessToken is refreshed where less than a minute of it is left.
func accessToken(r *http.Request, s *session) (string, error) {
	for attempt := 1; time.Until(s.ends) < time.Minute; attempt++ {
		var pair tokens
		problem := call(r, "/api/v1/oauth/refresh/", url.Values{"refresh_token": {s.refresh}}, "", &pair)
		if problem == nil {
			s.keep(pair)
			break
		}
		if problem.Code == "invalid_grant" {
			sessions.Delete(s.id) // ended; any other failure keeps the pair
		}
		// The answer was lost: at once the same token again, which gives the same pair.
		if (problem.Status != 0 && problem.Status != 500) || attempt == 3 {
			return "", problem
		}
	}
	return s.access, nil
}

// person is who it is: ID is the key of your users, never the email.
type person struct{ ID, Name string }

func me(r *http.Request, s *session, again bool) (who person, err error) {
	token, err := accessToken(r, s)
	if err != nil {
		return who, err
	}
	problem := call(r, "/api/v1/me/", nil, token, &who)
	if problem == nil {
		return who, nil
	}
	if problem.Status == 401 && again {
		s.ends = time.Time{} // the token is refused: a refresh tells whether the session has ended
		return me(r, s, false)
	}
	return who, problem
}

func home(w http.ResponseWriter, r *http.Request, s *session) error {
	if s.access != "" {
		who, err := me(r, s, true)
		if err != nil {
			return err
		}
		logout := `<form method="post" action="/logout"><button>Log out</button></form>`
		page(w, 200, s.message, "<b>"+html.EscapeString(cmp.Or(who.Name, who.ID))+"</b>"+logout)
	} else {
		var list struct {
			Providers []struct {
				Name      string
				Title     map[string]string
				Available bool
			}
		}
		if err := call(r, "/api/v1/oauth/providers/", nil, "", &list); err != nil {
			return err
		}
		buttons := ""
		for _, one := range list.Providers {
			disabled := map[bool]string{false: "disabled"}[one.Available]
			buttons += fmt.Sprintf(`<button name="provider" value="%s" %s>%s</button> `, one.Name, disabled, one.Title["en"])
		}
		page(w, 200, s.message, `<form method="post" action="/login">`+buttons+`</form>`)
	}
	s.message = ""
	return nil
}

func login(w http.ResponseWriter, r *http.Request, s *session) error {
	form := url.Values{"provider": {r.PostFormValue("provider")}, "client_redirect_url": {redirectURL}}
	var start struct {
		State string
		URL   string `json:"authorize_url"`
	}
	if err := call(r, "/api/v1/oauth/authorize-url/", form, "", &start); err != nil {
		return err
	}
	if s.id == "" {
		s.open(w)
	}
	s.states = append(s.states, start.State) // several: a person may log in in two tabs
	s.states = s.states[max(0, len(s.states)-5):]
	http.Redirect(w, r, start.URL, http.StatusSeeOther)
	return nil
}

func loginReturn(w http.ResponseWriter, r *http.Request, s *session) error {
	query := r.URL.Query()
	state := query.Get("state")
	at := slices.Index(s.states, state)
	if at < 0 && s.access == "" {
		return &failure{Message: foreign}
	}
	if at >= 0 && query.Has("error") { // the state stays: the person may go back and agree
		return &failure{Message: cmp.Or(words[query.Get("error")], other)}
	}
	if at >= 0 {
		s.states = slices.Delete(s.states, at, at+1)
		form := url.Values{"provider": {query.Get("provider")}, "state": {state}, "code": {query.Get("code")}} // as they came
		var pair tokens
		if err := call(r, "/api/v1/oauth/authorize/", form, "", &pair); err != nil {
			return err
		}
		s.keep(pair)
		s.states = nil
		s.open(w) // with a new id
	}
	http.Redirect(w, r, "/", http.StatusSeeOther) // to an address without state and code
	return nil
}

func logout(w http.ResponseWriter, r *http.Request, s *session) error {
	sessions.Delete(s.id)
	if s.refresh != "" {
		_ = call(r, "/api/v1/oauth/revoke/", url.Values{"token": {s.refresh}}, "", nil) // it is in the log
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

func page(w http.ResponseWriter, status int, message, body string) {
	if message != "" {
		body = `<p role="alert">` + html.EscapeString(message) + "</p>" + body
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, "<!doctype html><title>My site</title><h1>My site</h1>", body)
}

func main() {
	routes := map[string]func(http.ResponseWriter, *http.Request, *session) error{
		"GET /": home, "POST /login": login, "GET " + site.Path: loginReturn, "POST /logout": logout,
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		w.Header().Set("Referrer-Policy", "same-origin")
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, 1_000)
		route := routes[r.Method+" "+r.URL.Path]
		// A form of another site must not log anybody in or out.
		if route == nil || (r.Method == "POST" && cmp.Or(r.Header.Get("Origin"), origin) != origin) {
			page(w, 404, "Please open "+origin+"/", `<a href="/">Go on</a>`)
			return
		}
		s := &session{}
		if cookie, err := r.Cookie("session"); err == nil {
			if found, ok := sessions.Load(cookie.Value); ok {
				s = found.(*session)
			}
		}
		s.Lock()
		defer s.Unlock()
		err := route(w, r, s)
		if err != nil && r.URL.Path == "/" {
			page(w, 503, err.Error(), `<a href="/">Go on</a>`)
		} else if err != nil {
			if s.id == "" {
				s.open(w)
			}
			s.message = err.Error()
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}
	}
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("PORT"), site.Port()), http.HandlerFunc(handler)))
}
