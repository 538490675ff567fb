// Package webhook notifies the receivers that orders name of every change.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// Bounds of the webhooks.
const (
	webhookWorkers  = 4
	webhookQueue    = 256 // per worker; what does not fit is given up
	webhookTimeout  = 5 * time.Second
	webhookAttempts = 4 // the first one and three more, as the provider does
	webhookOKWithin = 100
)

var errNotLoopback = errors.New("webhooks go to loopback addresses only, unless that is switched off")

// Sender sends notifications. One order's always go through the same worker,
// so they leave in order.
type Sender struct {
	s      *orders.State
	client *http.Client
	retry  time.Duration // pause before a webhook that was not taken is sent again

	// Guarded by the state's lock.
	queues  []chan webhook // nil until the first webhook
	waiting int            // retries that are due later
}

// webhook is one notification, written down when the order changed.
type webhook struct {
	order, terminal, key, url string
	method                    string // GET goes without body and signature
	payload                   string // payload_type of the query; empty for none
	body                      []byte
	attempt                   int
}

// New returns a sender of the notifications of the orders of s, to loopback addresses
// only unless anywhere says otherwise. retry is the pause before one that was not taken
// is sent again.
func New(s *orders.State, anywhere bool, retry time.Duration) *Sender {
	dialer := &net.Dialer{Timeout: webhookTimeout}
	if !anywhere {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || !to.Addr().Unmap().IsLoopback() {
				return errNotLoopback
			}
			return nil
		}
	}
	return &Sender{s: s, retry: retry, client: &http.Client{
		Timeout: webhookTimeout,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, MaxIdleConnsPerHost: webhookWorkers, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Send tells the order's notification_url about its present state. The caller
// holds the state's lock.
func (h *Sender) Send(o *orders.Order) {
	to := o.Create.PaymentOptions
	if to.NotificationURL == "" {
		return
	}
	payload := ""
	if len(o.Events) == 0 {
		if _, ok := h.s.Faults.Take(fault.Pretransaction, fault.Occasion{Op: calls.OpCreate, Order: o.ID(), Terminal: o.Terminal.ID}); !ok {
			return
		}
		payload = "pretransaction"
	}
	body, err := json.Marshal(wire.OrderData(o))
	if err != nil { // plain values
		panic(err)
	}
	w := webhook{
		order: o.ID(), terminal: o.Terminal.ID, key: o.Terminal.Group.Key,
		url: to.NotificationURL, method: http.MethodPost, payload: payload, body: body, attempt: 1,
	}
	if to.NotificationMethod == http.MethodGet {
		w.method, w.body = http.MethodGet, nil
	}
	h.enqueue(w)
}

// enqueue hands w to its worker. The caller holds the state's lock.
func (h *Sender) enqueue(w webhook) {
	if h.s.Closed() {
		return
	}
	if h.queues == nil {
		for range webhookWorkers {
			queue := make(chan webhook, webhookQueue)
			h.queues = append(h.queues, queue)
			h.s.Go(func() { h.work(queue) })
		}
	}
	sum := fnv.New32a()
	io.WriteString(sum, w.order) //nolint:errcheck // a hash takes everything
	select {
	case h.queues[sum.Sum32()%webhookWorkers] <- w:
	default:
		h.s.Journal.Note(journal.Entry{Kind: journal.KindWebhook, Order: w.order, Terminal: w.terminal, Text: "webhook given up: too many are waiting"})
	}
}

// work sends what is queued until the simulator is closed, which lets the rest go.
func (h *Sender) work(queue <-chan webhook) {
	defer h.client.CloseIdleConnections()
	for {
		select {
		case w := <-queue:
			status, err := h.post(w)
			h.record(w, status, err)
		case <-h.s.Done():
			return
		}
	}
}

// post sends w once. A nil error means that the receiver took it.
func (h *Sender) post(w webhook) (status int, err error) {
	ctx, cancel := context.WithTimeout(h.s.Context(), webhookTimeout)
	defer cancel()
	req, err := w.makeRequest(ctx, h.s.Now())
	if err != nil {
		return 0, err
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("send webhook: %w", err)
	}
	defer resp.Body.Close()
	head, err := io.ReadAll(io.LimitReader(resp.Body, webhookOKWithin))
	if err != nil {
		return resp.StatusCode, fmt.Errorf("read webhook answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK || !bytes.Contains(head, []byte("OK")) {
		return resp.StatusCode, errors.New("the answer must be 200, with OK in the first 100 characters")
	}
	return resp.StatusCode, nil
}

// makeRequest writes w down as a request, signed at a time.
func (w webhook) makeRequest(ctx context.Context, at time.Time) (*http.Request, error) {
	u, err := url.Parse(w.url)
	if err != nil {
		return nil, errors.New("parse notification_url")
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	query := u.Query()
	query.Set("transactionid", w.order)
	query.Set("timestamp", stamp)
	if w.payload != "" {
		query.Set("payload_type", w.payload)
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, w.method, u.String(), bytes.NewReader(w.body))
	if err != nil {
		return nil, fmt.Errorf("make webhook request: %w", err)
	}
	if w.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Auth", Auth(w.key, stamp, w.body))
	}
	return req, nil
}

// record writes the outcome down and plans the next attempt when one is due.
func (h *Sender) record(w webhook, status int, err error) {
	h.s.Lock()
	defer h.s.Unlock()
	e := journal.Entry{Kind: journal.KindWebhook, Order: w.order, Terminal: w.terminal, HTTPStatus: status}
	again := false
	switch {
	case err == nil:
		e.Text = "webhook taken"
	case w.attempt < webhookAttempts && h.waiting < webhookWorkers*webhookQueue && !errors.Is(err, errNotLoopback):
		again = true
		e.Text = fmt.Sprintf("webhook not taken, attempt %d: %v", w.attempt, err)
	default:
		e.Text = fmt.Sprintf("webhook given up after attempt %d: %v", w.attempt, err)
	}
	h.s.Journal.Note(e)
	if again && !h.s.Closed() {
		w.attempt++
		h.waiting++
		h.s.Alarms.After(h.retry, func() {
			h.waiting--
			h.enqueue(w)
		})
	}
}

// Auth is the value of a webhook's Auth header: what a receiver computes
// with its own API key to know that the provider sent the body.
func Auth(apiKey, timestamp string, body []byte) string {
	mac := hmac.New(sha512.New, []byte(apiKey))
	io.WriteString(mac, timestamp+":") //nolint:errcheck // a hash takes everything
	mac.Write(body)
	return base64.StdEncoding.EncodeToString([]byte(timestamp + ":" + hex.EncodeToString(mac.Sum(nil))))
}
