"""A Django app of campaigns whose recipients get a file each: a coupon, a ticket, an invoice."""
