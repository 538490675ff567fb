package simulator

import (
	"net/http"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// get answers GET orders/{id}. The caller holds the lock.
func (a api) get(o *order, at fault.Occasion) answer {
	if _, stale := a.s.Faults.Take(fault.StaleGet, at); !stale {
		return success(orderData(o))
	}
	if n := len(o.Events); n > 1 {
		return success(orderDataAs(o, o.Events[n-2].Status, o.Events[n-2].FinancialStatus))
	}
	return success(orderDataAs(o, scenario.StatusInitialized, scenario.StatusInitialized))
}

// cancel answers POST orders/{id}/cancel. The caller holds the lock.
func (a api) cancel(o *order, at fault.Occasion) answer {
	if _, late := a.s.Faults.TakeIf(!o.Finished, fault.LateCancel, at); late {
		a.s.stopSteps(o)
		o.Stuck = false
		a.s.giveStatus(o, scenario.StatusCompleted, scenario.StatusCompleted)
	}
	if o.Finished && o.Status != scenario.StatusCancelled {
		return refusal(http.StatusBadRequest, codeUnspecified, "Unspecified error: the order is already "+o.Status)
	}
	if o.Status != scenario.StatusCancelled {
		a.s.stopSteps(o)
		o.Stuck = false
		a.s.showResult(o, ScreenCancelled)
		a.s.change(o, scenario.StatusCancelled, scenario.StatusCancelled)
	}
	return success(map[string]any{
		"costs":            []any{},
		"created":          localTime(o.Created),
		"custom_info":      map[string]any{"custom_1": nil, "custom_2": nil, "custom_3": nil},
		"fastcheckout":     "NO",
		"financial_status": nil,
		"modified":         localTime(o.Modified),
		"order_id":         o.id(),
		"payment_details":  map[string]any{},
		"payment_methods":  nil,
		"status":           scenario.StatusCancelled,
	})
}

// patch answers PATCH orders/{id}, which does not work for terminals: the
// provider says yes and leaves the order declined for good, with its terminal
// still busy. The caller holds the lock.
func (a api) patch(o *order) answer {
	if !o.Finished && !o.Stuck {
		a.s.stopSteps(o)
		a.s.Alarms.Stop(o.idle)
		o.idle = nil
		o.Stuck = true
		a.s.showResult(o, ScreenDeclined)
		a.s.change(o, scenario.StatusDeclined, scenario.StatusDeclined)
	}
	return success(map[string]any{})
}
