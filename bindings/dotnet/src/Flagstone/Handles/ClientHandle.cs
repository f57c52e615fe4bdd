using System;
using System.Runtime.InteropServices;
using Flagstone.Interop;

namespace Flagstone.Handles;

/// <summary>Owns a reference to a <c>flagstone_client</c>. It is released by the finalizer alone, never by <c>Dispose</c> of the
/// client, which only closes: an evaluation that is under way may use the raw pointer as long as its object is alive.</summary>
internal sealed class ClientHandle : SafeHandle
{
    internal ClientHandle(IntPtr native)
        : base(IntPtr.Zero, ownsHandle: true) => SetHandle(native);

    public override bool IsInvalid => handle == IntPtr.Zero;

    protected override bool ReleaseHandle()
    {
        // The pump holds a reference of its own: it must notice that nobody is left to serve.
        NativeMethods.flagstone_wake(handle);
        NativeMethods.flagstone_client_release(handle);
        return true;
    }
}
