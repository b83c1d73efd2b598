# Each second a customer comes, and now and then one who wants what the shop does not have.
trap 'echo "no more customers today"; exit 0' TERM
customer=0
while :; do
    customer=$((customer + 1))
    case $((customer % 5)) in
        0) item=elephant ;;
        1) item=tea ;;
        2) item=cup ;;
        3) item=coffee ;;
        4) item=kettle ;;
    esac
    if address=$(cat var/address 2>/dev/null); then
        answer=$(python3 order.py "$address" "$item" $((customer % 4 + 1)))
        echo "customer $customer: $answer"
    else
        echo "customer $customer: the shop is closed"
    fi
    sleep 1 & wait $!
done
