package simulator

import (
	"cmp"
	"net/http"
	"time"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// create answers POST orders. The caller holds the lock.
func (a api) create(c *call, r *http.Request) answer {
	s, req := a.s, c.request
	t := s.Terminals.byID[c.terminal]
	switch {
	case t == nil || t.group != c.group:
		return refusal(http.StatusBadRequest, codeNoGateway, "No gateway available: the terminal is not one of this terminal group")
	case s.Orders.byID[req.OrderID] != nil:
		return refusal(http.StatusBadRequest, codeInvalidOrderID, "Invalid order ID: it has already been used")
	case t.order != nil:
		return refusal(http.StatusBadRequest, codeCannotInitiate, "Cannot initiate transaction: another payment is open on terminal "+t.id)
	}
	sc, err := scenario.Choose(req.CustomInfo.Custom1, req.Amount, t.scenario)
	if err != nil {
		return validationFailure(violation{"custom_info.custom_1", []string{journal.Clip(req.CustomInfo.Custom1, 64)}, "Simulator: " + err.Error()})
	}
	o := s.addOrder(req, t, sc.Name)
	s.Faults.Calls(req.OrderID).Made++
	a.hide(o, c.occasion())
	_, eager := s.Faults.Take(fault.EagerTerminal, c.occasion())
	_, offline := s.Faults.Take(fault.OfflineTerminal, c.occasion())
	switch {
	case offline:
		s.Alarms.Stop(o.idle)
		o.idle = nil
		s.show(t, ScreenIdle)
	case t.mode == Auto:
		s.sendCustomer(o, sc, eager)
	}
	s.tell(o)
	return success(map[string]any{
		"order_id":          req.OrderID,
		"session_id":        o.Session,
		"payment_url":       origin(r) + "/connect/" + o.Session + "/?lang=nl_NL",
		"events_token":      a.tokens.Sign(o.Session, a.expiry(o, c.occasion())),
		"events_stream_url": a.streamURL(c.occasion(), r),
	})
}

// hide keeps a new order from being asked for, if a fault says so.
func (a api) hide(o *order, at fault.Occasion) {
	f, ok := a.s.Faults.Take(fault.HideOrder, at)
	if !ok {
		return
	}
	f.Delay = cmp.Or(f.Delay, fault.DefaultDelay)
	f.Status = cmp.Or(f.Status, http.StatusNotFound)
	f.ErrorCode = cmp.Or(f.ErrorCode, codeInvalidOrderID)
	f.ErrorInfo = cmp.Or(f.ErrorInfo, "Not found")
	o.hidden = veil{until: a.s.now().Add(f.Delay), fault: f}
}

// expiry is when the events token of a new order expires.
func (a api) expiry(o *order, at fault.Occasion) time.Time {
	f, ok := a.s.Faults.Take(fault.ExpiredToken, at)
	if !ok {
		return a.s.now().Add(a.tokenTTL)
	}
	if f.Delay > 0 { // a token's expiry is in whole seconds: rounded up
		f.Delay += time.Second - 1
	}
	expires := a.s.now().Add(f.Delay).Truncate(time.Second)
	if f.Mode == fault.ExpiryCuts {
		o.TokenEnd = expires
	}
	return expires
}

// streamURL is where the events of a new order come from.
func (a api) streamURL(at fault.Occasion, r *http.Request) string {
	f, ok := a.s.Faults.Take(fault.OtherHostStreamURL, at)
	if !ok {
		return origin(r) + eventsPath
	}
	f.URL = cmp.Or(f.URL, otherOrigin(r)+eventsPath)
	return f.URL
}
