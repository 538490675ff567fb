package api

import (
	"cmp"
	"net/http"
	"time"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// create answers POST orders. The caller holds the lock.
func (a API) create(c *call, r *http.Request) wire.Answer {
	s, req := a.s, c.request
	t := s.Terminals.ByID[c.terminal]
	switch {
	case t == nil || t.Group != c.group:
		return wire.Refusal(http.StatusBadRequest, wire.CodeNoGateway, "No gateway available: the terminal is not one of this terminal group")
	case s.Orders.ByID[req.OrderID] != nil:
		return wire.Refusal(http.StatusBadRequest, wire.CodeInvalidOrderID, "Invalid order ID: it has already been used")
	case t.Order != nil:
		return wire.Refusal(http.StatusBadRequest, wire.CodeCannotInitiate, "Cannot initiate transaction: another payment is open on terminal "+t.ID)
	}
	sc, err := scenario.Choose(req.CustomInfo.Custom1, req.Amount, t.Scenario)
	if err != nil {
		return wire.ValidationFailure(wire.NewViolation("custom_info.custom_1", req.CustomInfo.Custom1, "Simulator: "+err.Error()))
	}
	o := s.AddOrder(req, t, sc.Name)
	s.Faults.Calls(req.OrderID).Made++
	a.hide(o, c.occasion())
	_, eager := s.Faults.Take(fault.EagerTerminal, c.occasion())
	_, offline := s.Faults.Take(fault.OfflineTerminal, c.occasion())
	switch {
	case offline:
		s.Alarms.Stop(o.Idle)
		o.Idle = nil
		s.Show(t, orders.ScreenIdle)
	case t.Mode == orders.Auto:
		s.SendCustomer(o, sc, eager)
	}
	s.Tell(o)
	return wire.Success(map[string]any{
		"order_id":          req.OrderID,
		"session_id":        o.Session,
		"payment_url":       wire.Origin(r) + "/connect/" + o.Session + "/?lang=nl_NL",
		"events_token":      a.tokens.Sign(o.Session, a.expiry(o, c.occasion())),
		"events_stream_url": a.streamURL(c.occasion(), r),
	})
}

// hide keeps a new order from being asked for, if a fault says so.
func (a API) hide(o *orders.Order, at fault.Occasion) {
	f, ok := a.s.Faults.Take(fault.HideOrder, at)
	if !ok {
		return
	}
	f.Delay = cmp.Or(f.Delay, fault.DefaultDelay)
	f.Status = cmp.Or(f.Status, http.StatusNotFound)
	f.ErrorCode = cmp.Or(f.ErrorCode, wire.CodeInvalidOrderID)
	f.ErrorInfo = cmp.Or(f.ErrorInfo, "Not found")
	o.Hidden = orders.Veil{Until: a.s.Now().Add(f.Delay), Fault: f}
}

// expiry is when the events token of a new order expires.
func (a API) expiry(o *orders.Order, at fault.Occasion) time.Time {
	f, ok := a.s.Faults.Take(fault.ExpiredToken, at)
	if !ok {
		return a.s.Now().Add(a.tokenTTL)
	}
	if f.Delay > 0 { // a token's expiry is in whole seconds: rounded up
		f.Delay += time.Second - 1
	}
	expires := a.s.Now().Add(f.Delay).Truncate(time.Second)
	if f.Mode == fault.ExpiryCuts {
		o.TokenEnd = expires
	}
	return expires
}

// streamURL is where the events of a new order come from.
func (a API) streamURL(at fault.Occasion, r *http.Request) string {
	f, ok := a.s.Faults.Take(fault.OtherHostStreamURL, at)
	if !ok {
		return wire.Origin(r) + wire.EventsPath
	}
	f.URL = cmp.Or(f.URL, wire.OtherOrigin(r)+wire.EventsPath)
	return f.URL
}
