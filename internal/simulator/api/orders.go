package api

import (
	"net/http"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// get answers GET orders/{id}. The caller holds the lock.
func (a API) get(o *orders.Order, at fault.Occasion) wire.Answer {
	if _, stale := a.s.Faults.Take(fault.StaleGet, at); !stale {
		return wire.Success(wire.OrderData(o))
	}
	if n := len(o.Events); n > 1 {
		return wire.Success(wire.OrderDataAs(o, o.Events[n-2].Status, o.Events[n-2].FinancialStatus))
	}
	return wire.Success(wire.OrderDataAs(o, scenario.StatusInitialized, scenario.StatusInitialized))
}

// cancel answers POST orders/{id}/cancel. The caller holds the lock.
func (a API) cancel(o *orders.Order, at fault.Occasion) wire.Answer {
	if _, late := a.s.Faults.TakeIf(!o.Finished, fault.LateCancel, at); late {
		a.s.StopSteps(o)
		o.Stuck = false
		a.s.GiveStatus(o, scenario.StatusCompleted, scenario.StatusCompleted)
	}
	if o.Finished && o.Status != scenario.StatusCancelled {
		return wire.Refusal(http.StatusBadRequest, wire.CodeUnspecified, "Unspecified error: the order is already "+o.Status)
	}
	if o.Status != scenario.StatusCancelled {
		a.s.StopSteps(o)
		o.Stuck = false
		a.s.ShowResult(o, orders.ScreenCancelled)
		a.s.Change(o, scenario.StatusCancelled, scenario.StatusCancelled)
	}
	return wire.Success(map[string]any{
		"costs":            []any{},
		"created":          wire.LocalTime(o.Created),
		"custom_info":      map[string]any{"custom_1": nil, "custom_2": nil, "custom_3": nil},
		"fastcheckout":     "NO",
		"financial_status": nil,
		"modified":         wire.LocalTime(o.Modified),
		"order_id":         o.ID(),
		"payment_details":  map[string]any{},
		"payment_methods":  nil,
		"status":           scenario.StatusCancelled,
	})
}

// patch answers PATCH orders/{id}, which does not work for terminals: the
// provider says yes and leaves the order declined for good, with its terminal
// still busy. The caller holds the lock.
func (a API) patch(o *orders.Order) wire.Answer {
	if !o.Finished && !o.Stuck {
		a.s.StopSteps(o)
		a.s.Alarms.Stop(o.Idle)
		o.Idle = nil
		o.Stuck = true
		a.s.ShowResult(o, orders.ScreenDeclined)
		a.s.Change(o, scenario.StatusDeclined, scenario.StatusDeclined)
	}
	return wire.Success(map[string]any{})
}
