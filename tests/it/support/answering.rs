//! A service that answers all kinds of call with what a function says.

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

/// An `OrderService` that answers with what this function says of the request's context. Where the
/// answer is a stream, the function is not called before the stream is polled.
#[derive(Clone, Copy, Debug)]
pub struct Answering<F>(pub F);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn order(created_by: String) -> Order {
    Order { created_by, ..Order::default() }
}

#[tonic::async_trait]
impl<F, Fut> OrderService for Answering<F>
where
    F: Fn(CallContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<String, Status>> + Send + 'static,
{
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let answer = (self.0)(CallContext::from_request(&request)).await?;
        Ok(Response::new(order(answer)))
    }

    async fn get_order(&self, _: Request<GetOrderRequest>) -> Result<Response<Order>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }

    type ListOrdersStream = Answers<Order>;

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<Answers<Order>>, Status> {
        let context = CallContext::from_request(&request);
        let answer = self.0.clone();
        let answers = tokio_stream::once(()).then(move |()| answer(context.clone()));
        Ok(Response::new(Box::pin(answers.map(|answer| answer.map(order)))))
    }

    async fn import_orders(
        &self,
        request: Request<Streaming<CreateOrderRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        let context = CallContext::from_request(&request);
        let mut messages = request.into_inner();
        while messages.message().await?.is_some() {}
        let answer = (self.0)(context).await?;
        Ok(Response::new(ImportOrdersResponse { orders: vec![order(answer)] }))
    }

    type CheckItemsStream = Answers<ItemAvailability>;

    async fn check_items(
        &self,
        request: Request<Streaming<Item>>,
    ) -> Result<Response<Answers<ItemAvailability>>, Status> {
        let context = CallContext::from_request(&request);
        let answer = self.0.clone();
        let answers = request.into_inner().then(move |item| {
            let answer = answer(context.clone());
            async move {
                let sku = item?.sku;
                Ok(ItemAvailability { sku, available: true, checked_for: answer.await? })
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }
}
