package simulator

import (
	"net/http"
	"time"
)

// create answers POST orders. The caller holds mu.
func (a api) create(c *call, r *http.Request) answer {
	s, req := a.s, c.request
	t := s.terminals.byID[c.terminal]
	switch {
	case t == nil || t.group != c.group:
		return refusal(http.StatusBadRequest, codeNoGateway, "No gateway available: the terminal is not one of this terminal group")
	case s.orders.byID[req.OrderID] != nil:
		return refusal(http.StatusBadRequest, codeInvalidOrderID, "Invalid order ID: it has already been used")
	case t.order != nil:
		return refusal(http.StatusBadRequest, codeCannotInitiate, "Cannot initiate transaction: another payment is open on terminal "+t.id)
	}
	sc, err := chooseScenario(req.CustomInfo.Custom1, req.Amount, t.scenario)
	if err != nil {
		return validationFailure(violation{"custom_info.custom_1", []string{clip(req.CustomInfo.Custom1, 64)}, "Simulator: " + err.Error()})
	}
	o := s.addOrder(req, t, sc.Name)
	s.calls.at(req.OrderID).Made++
	a.hide(o, c.occasion())
	_, eager := s.takeFault(FaultEagerTerminal, c.occasion())
	_, offline := s.takeFault(FaultOfflineTerminal, c.occasion())
	switch {
	case offline:
		s.alarms.stop(o.idle)
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
		"events_token":      s.tokens.sign(o.Session, a.expiry(o, c.occasion())),
		"events_stream_url": a.streamURL(c.occasion(), r),
	})
}

// hide keeps a new order from being asked for, if a fault says so.
func (a api) hide(o *order, at occasion) {
	f, ok := a.s.takeFault(FaultHideOrder, at)
	if !ok {
		return
	}
	fill(&f.Delay, DefaultDelay)
	fill(&f.Status, http.StatusNotFound)
	fill(&f.ErrorCode, codeInvalidOrderID)
	fill(&f.ErrorInfo, "Not found")
	o.hidden = veil{until: a.s.now().Add(f.Delay), answer: f.refusal()}
}

// expiry is when the events token of a new order expires.
func (a api) expiry(o *order, at occasion) time.Time {
	f, ok := a.s.takeFault(FaultExpiredToken, at)
	if !ok {
		return a.s.now().Add(a.s.opts.TokenTTL)
	}
	if f.Delay > 0 { // a token's expiry is in whole seconds: rounded up
		f.Delay += time.Second - 1
	}
	expires := a.s.now().Add(f.Delay).Truncate(time.Second)
	if f.Mode == ExpiryCuts {
		o.TokenEnd = expires
	}
	return expires
}

// streamURL is where the events of a new order come from.
func (a api) streamURL(at occasion, r *http.Request) string {
	f, ok := a.s.takeFault(FaultOtherHostStreamURL, at)
	if !ok {
		return origin(r) + eventsPath
	}
	fill(&f.URL, otherOrigin(r)+eventsPath)
	return f.URL
}
