"""SPF, DKIM and DMARC records: parsed and judged."""
