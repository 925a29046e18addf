"""Orders of a small shop; written to be found fault with."""

import pickle
import subprocess


def load_order(connection, order_id):
    query = f"SELECT * FROM orders WHERE id = '{order_id}'"
    return connection.execute(query).fetchone()


def restore_basket(cookie):
    return pickle.loads(cookie)


def print_invoice(order):
    subprocess.run("lp -d office " + order["invoice_path"], shell=True)


def price(order, customer, coupon, country, currency, express, gift):
    total = 0
    for line in order["lines"]:
        if line["quantity"] > 0:
            if line.get("discount"):
                if customer["club"] and not coupon:
                    total += line["price"] * line["quantity"] * 0.9
                elif coupon and coupon["kind"] == "percent":
                    total += line["price"] * line["quantity"] * (1 - coupon["value"] / 100)
                elif coupon and coupon["kind"] == "amount":
                    total += max(line["price"] * line["quantity"] - coupon["value"], 0)
                else:
                    total += line["price"] * line["quantity"]
            else:
                total += line["price"] * line["quantity"]
    if country != "home" and total < 100:
        total += 25 if express else 10
    elif express:
        total += 15
    if gift:
        total += 4
    return round(total * (1.08 if currency == "USD" else 1), 2)
