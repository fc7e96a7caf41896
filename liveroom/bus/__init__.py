"""News: carries publications between gateways, never decides."""
