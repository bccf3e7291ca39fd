//! A service whose responses are computed by a function.

use std::future::Future;
use std::pin::Pin;

use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};
use tonic_passport::CallContext;

use super::shop::order_service_server::OrderService;
use super::shop::{
    CreateOrderRequest, GetOrderRequest, ImportOrdersResponse, Item, ItemAvailability,
    ListOrdersRequest, Order,
};

/// An `OrderService` whose responses are the result of a function of the request's context. For a
/// response stream, the function is called when the stream is polled.
#[derive(Clone, Copy, Debug)]
pub struct ResponseService<F>(pub F);

type ResponseStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn order(created_by: String) -> Order {
    Order { created_by, ..Order::default() }
}

#[tonic::async_trait]
impl<F, Fut> OrderService for ResponseService<F>
where
    F: Fn(CallContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<String, Status>> + Send + 'static,
{
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let response = (self.0)(CallContext::from_request(&request)).await?;
        Ok(Response::new(order(response)))
    }

    async fn get_order(&self, _: Request<GetOrderRequest>) -> Result<Response<Order>, Status> {
        Err(Status::unimplemented("not used by tests"))
    }

    type ListOrdersStream = ResponseStream<Order>;

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ResponseStream<Order>>, Status> {
        let context = CallContext::from_request(&request);
        let response = self.0.clone();
        let responses = tokio_stream::once(()).then(move |()| response(context.clone()));
        Ok(Response::new(Box::pin(responses.map(|response| response.map(order)))))
    }

    async fn import_orders(
        &self,
        request: Request<Streaming<CreateOrderRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        let context = CallContext::from_request(&request);
        let mut messages = request.into_inner();
        while messages.message().await?.is_some() {}
        let response = (self.0)(context).await?;
        Ok(Response::new(ImportOrdersResponse { orders: vec![order(response)] }))
    }

    type CheckItemsStream = ResponseStream<ItemAvailability>;

    async fn check_items(
        &self,
        request: Request<Streaming<Item>>,
    ) -> Result<Response<ResponseStream<ItemAvailability>>, Status> {
        let context = CallContext::from_request(&request);
        let response = self.0.clone();
        let responses = request.into_inner().then(move |item| {
            let response = response(context.clone());
            async move {
                let sku = item?.sku;
                Ok(ItemAvailability { sku, available: true, checked_for: response.await? })
            }
        });
        Ok(Response::new(Box::pin(responses)))
    }
}
